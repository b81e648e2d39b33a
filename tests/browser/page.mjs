// page.mjs: the dashboard in a browser: opens it, waits for its figures, reads them, and compares them with the logs. Knows
// the elements of the page.
// Environment: MODULES (where playwright-core and axe-core are).

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PAGE, recount } from './stage.mjs';
import { patience, same, until, where } from './verdicts.mjs';

const require = createRequire(`${process.env.MODULES}/`);
export const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// ---- a page, and what was asked through it

export const faults = [];
export const urls = [];
export async function open(browser, { search = '?zone=UTC', key = null, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, timezoneId: 'UTC', locale: 'en-GB', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(patience());
    page.asked = {};
    page.on('request', (request) => {
        const url = new URL(request.url());
        urls.push(request.url());
        const report = url.searchParams.has('durations') ? 'speed' : url.pathname.split('/').at(-1);
        (page.asked[report] ??= []).push(Object.fromEntries(url.searchParams));
    });
    page.on('pageerror', (error) => faults.push(`${where()}: ${error.stack}`));
    page.on('console', (line) => /Content.Security.Policy|Trusted/i.test(line.text()) && faults.push(`${where()}: ${line.text()}`));
    if (key) await page.addInitScript((value) => window.sessionStorage.getItem('analytics.test') ?? (sessionStorage.setItem('analytics.key', value), sessionStorage.setItem('analytics.test', '1')), key);
    await page.goto(PAGE + search);
    return page;
}

export const settled = (page) => until(() => page.evaluate(() =>
    !document.getElementById('board').hidden && /Updated/.test(document.getElementById('state').textContent) && !document.querySelector('.busy, .stale')));
// The last query to a report for the range itself. Requests and concurrency are asked for the earlier period right
// after it. (Not for traffic: other panels ask for it, too.)
const hasEarlier = (page, report) => ['requests', 'concurrency'].includes(report) && query(page).compare !== 'off';
export const last = (page, report) => page.asked[report].at(hasEarlier(page, report) ? -2 : -1);
export const query = (page) => Object.fromEntries(new URL(page.url()).searchParams);
export const text = (page, selector) => page.locator(selector).innerText();
export const shows = (page, selector) => page.locator(selector).isVisible();
export const chartOf = (page, name) => page.evaluate((panel) => {
    const { data } = window.Chart.getChart(document.querySelector(`[data-panel="${panel}"] canvas`));
    const drawn = data.datasets.filter((one) => one.measure && one.yAxisID !== 'rate');
    return { buckets: data.labels.length, sums: drawn.map((one) => one.data.reduce((a, b) => a + b, 0)), most: drawn.map((one) => Math.max(...one.data)) };
}, name);
export const exactTotal = async (page, name) => Number((await page.locator('.total', { has: page.locator('.name', { hasText: new RegExp(`^${name}`) }) })
    .locator('.value span').getAttribute('title')).replace(/[^0-9]/g, ''));

export async function serious(page, name) {
    await page.evaluate(AXE);
    const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'] })).violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`));
    same(name, found, []);
}

export async function compareWithLogs(page, logs, filter) {
    const range = last(page, 'requests');
    const sums = recount(logs, range, filter);
    const [traffic, requests, concurrency] = [await chartOf(page, 'traffic'), await chartOf(page, 'requests'), await chartOf(page, 'concurrency')];
    same('traffic chart', traffic.sums, [sums.received, sums.sent]);
    same('requests chart', requests.sums, [sums.count, sums.errors]);
    same('concurrency chart', concurrency.most, [sums.peak]);
    same('totals', [await exactTotal(page, 'Traffic'), await exactTotal(page, 'Requests'), await exactTotal(page, 'Errors'), await exactTotal(page, 'Highest')],
        [sums.sent + sums.received, sums.count, sums.errors, sums.peak]);
    if (sums.duration > 0) same('average duration', await exactTotal(page, 'Average'), Math.floor(sums.duration / sums.count));
    return { ...traffic, sums };
}

// The words on the chips of the filters that are on.
export const chips = (page) => page.locator('.chip').allInnerTexts().then((found) => found.map((one) => one.replace(/\s*×$/, '').replace(/\s+/g, ' ')));
export async function addFilter(page, field, value, turn = 'is') {
    await page.selectOption('#field', field);
    await page.selectOption('#turn', turn);
    await page.fill('#value', value);
    await page.press('#value', 'Enter');
}
