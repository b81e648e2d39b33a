// paint.mjs: measures how soon the dashboard shows its figures, each time in a fresh browser context. A measurement, by hand:
//   PORT=… KEY_FILE=… MODULES=build/browser SEARCH='?range=custom&from=2026-03-01&to=2026-04-30&zone=UTC' node paint.mjs

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const { PORT, KEY_FILE, MODULES, SEARCH = '', TIMES = '9', CHROMIUM = '/usr/bin/chromium' } = process.env;
const { chromium } = createRequire(`${resolve(MODULES)}/`)('playwright-core');
const key = readFileSync(KEY_FILE, 'utf8').trim();
const browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
const MARKS = ['first-contentful-paint', 'first-figures', 'all-figures'];
const found = [];
for (let i = 0; i < Number(TIMES); i++) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
    const page = await context.newPage();
    await page.addInitScript((value) => sessionStorage.setItem('analytics.key', value), key);
    await page.goto(`http://127.0.0.1:${PORT}/analytics/dashboard/${SEARCH}`);
    await page.waitForFunction(() => performance.getEntriesByName('all-figures').length > 0);
    found.push(await page.evaluate((marks) => marks.map((name) => performance.getEntriesByName(name)[0].startTime), MARKS));
    await context.close();
}
await browser.close();
MARKS.forEach((mark, i) => {
    const times = found.map((one) => Math.round(one[i])).sort((a, b) => a - b);
    console.log(`${mark}: median ${times[times.length >> 1]} ms, ${times[0]} to ${times.at(-1)} ms`);
});
