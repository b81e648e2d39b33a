// steps_faults.mjs: faults that the dashboard once had, each as what a person does and sees.
//
// Seen to fail on the page as it was before (all of them), and with these breaks:
//   fields written at each refresh -> "FAIL typing: stays in the filter"
//   the earlier period moved by milliseconds -> "FAIL comparison: 1 November in New York with 31 October"
//   a bound of a month that lacks the day taken as the next -> "FAIL bad link: is said: 2026-02-31"
//   no guard.js -> "FAIL start-up: a file that is missing"; limit= left in -> "FAIL whole lists: of domains"

import { readFileSync } from 'node:fs';
import { addFilter, last, open, query, settled, shows, text } from './page.mjs';
import { PAGE, newKey, post, recount } from './stage.mjs';
import { at, ok, same, until } from './verdicts.mjs';

const day = (back) => new Date(Date.now() - back * 86400000).toISOString().slice(0, 10);
const inPage = (page, module, work, ...given) => page.evaluate(`import('./${module}').then((module) => (${work})(module, ...${JSON.stringify(given)}))`);
const notice = (page) => text(page, '#notice').catch(() => '');
const names = (page, panel) => page.locator(`[data-panel="${panel}"] tbody th`).allInnerTexts();
async function csvOf(page, panel) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator(`[data-panel="${panel}"] .panel-head button`, { hasText: 'CSV' }).click()]);
    return { name: download.suggestedFilename(), lines: readFileSync(await download.path(), 'utf8').trimEnd().split('\r\n') };
}

export const steps = {
    async typing(browser, { admin }) {
        const context = await browser.newContext({ timezoneId: 'UTC', viewport: { width: 1440, height: 1000 } });
        const page = await context.newPage();
        await page.clock.install({ time: Date.now() });
        let asked = 0;
        page.on('request', (request) => (asked += /traffic\?/.test(request.url())));
        await page.addInitScript((value) => sessionStorage.setItem('analytics.key', value), admin);
        await page.goto(`${PAGE}?range=custom&from=${day(1)}&to=${day(-1)}&zone=UTC`);
        await settled(page);
        await page.locator('#from').fill('2026-0');
        await page.locator('#value').fill('goo');
        const before = asked;
        await page.clock.runFor(31000);
        ok('is refreshed', await until(() => asked > before) && await settled(page), `${asked - before} requests`);
        same('stays in the filter', await page.inputValue('#value'), 'goo');
        same('stays in the dates', await page.inputValue('#from'), '2026-0');
        await page.click('#ranges button[value="7d"]');
        ok('another range', await until(() => query(page).range === '7d') && await settled(page), page.url());
        same('leaves the filter', await page.inputValue('#value'), 'goo');
        await page.click('#ranges button[value="custom"]');
        await settled(page);
        same('leaves the dates', await page.inputValue('#from'), '2026-0');
        const list = await page.locator('[data-panel="breakdown"] select').elementHandle();
        const option = await list.$('option');
        await page.clock.runFor(31000);
        await settled(page);
        ok('an open list of choices stays', await option.evaluate((node) => node.isConnected), 'was replaced');
        await context.close();
    },

    async who(browser, { admin }) {
        const { key } = newKey('--role', 'user', '--user-id', '3', '--name', 'customer 3', '--expires', '2030-12-03');
        const page = await open(browser, { key, search: '?range=30d&zone=UTC&user=4' });
        await settled(page);
        ok('another’s figures are not promised', !/user 4/.test(await text(page, '#span')), await text(page, '#span'));
        ok('and that is said', /about user 4.*your own figures/s.test(await notice(page)), await notice(page));
        same('nor in the URL', query(page).user, undefined);
        same('the header says who', await text(page, '#who'), 'Customer 3 · key expires 3 Dec 2030');
        await page.goto(`${PAGE}?range=custom&from=2001-01-01&to=2001-01-02&zone=UTC`);
        await settled(page);
        await page.click('#ranges button[value="30d"]');
        await settled(page);
        same('no user filter, after a range without data', await page.locator('#field option[value="user"]').count(), 0);
        same('nor a breakdown by what is the operator’s', await page.locator('[data-panel="breakdown"] select option').allInnerTexts(), ['By order', 'By protocol', 'By port']);

        await post([{ ts: '2025-01-05 10:00:00', user_id: Number.MAX_SAFE_INTEGER, order_id: 77, domain: 'last.example', count: 1 }]);
        const other = await open(browser, { key: admin, search: '?range=custom&from=2025-01-05&to=2025-01-05&zone=UTC' });
        await settled(other);
        same('the last user id there is hides nothing from an admin', await other.locator('#field option[value="user"]').count(), 1);
        await page.context().close();
        await other.context().close();
    },

    async print(browser, { admin }) {
        const page = await open(browser, { key: admin, search: '?range=30d&zone=UTC', colorScheme: 'dark' });
        await settled(page);
        await page.setViewportSize({ width: 1440, height: 1000 });
        await page.emulateMedia({ media: 'print' });
        const paper = await page.evaluate(() => dispatchEvent(new Event('beforeprint')) && ({ // at once: paper does not wait, and is narrower
            theme: document.documentElement.dataset.theme,
            wide: [...document.querySelectorAll('.chart canvas')].filter((one) => one.clientWidth > 720).length,
            buttons: [...document.querySelectorAll('.panel-head button, .tools button, .bar button, #print, .values')].filter((one) => one.getClientRects().length > 0).length,
            legends: [...document.querySelectorAll('.key')].filter((one) => one.getClientRects().length > 0).length,
            words: document.querySelector('.span-line').innerText,
        }));
        same('light, as wide as the paper, nothing to press', [paper.theme, paper.wide, paper.buttons], ['light', 0, 0]);
        ok('with legends', paper.legends >= 5, `${paper.legends} entries`);
        ok('with range and time zone', /Nov|Oct|Dec|20\d\d/.test(paper.words) && /Time zone: UTC/.test(paper.words), paper.words);
        await page.evaluate(() => dispatchEvent(new Event('afterprint')));
        same('dark again', await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
        await page.context().close();
    },

    async comparison(browser, { admin }) {
        const page = await open(browser, { key: admin, search: '?range=30d&zone=UTC' });
        await settled(page);
        const begin = new Date(Date.now() - 45 * 86400000).getUTCFullYear();
        ok('data that begin inside the earlier period', new RegExp(`Data begins on \\d+ \\w+ ${begin} at`).test(await text(page, '#compared')), await text(page, '#compared'));
        ok('give no percentage', !/[+−×]|new/.test(await text(page, '.totals')), await text(page, '.totals'));
        await page.click('#ranges button[value="7d"]');
        await settled(page);
        ok('whole ones do', /Compared with/.test(await text(page, '#compared')) && /[+−±][\d.]+ %/.test(await text(page, '.totals')), await text(page, '.totals'));
        const earlier = () => page.asked.requests.at(-1);
        for (const [name, from, to, zone, expected] of [
            ['1 November in New York with 31 October', '2026-11-01', '2026-11-01', 'America/New_York', ['2026-10-31T00:00', '2026-11-01T00:00']],
            ['a day of 25 hours with one of 24', '2025-10-26', '2025-10-26', 'Europe/Kyiv', ['2025-10-25T00:00', '2025-10-26T00:00']],
            ['a month with the month before', '2026-03-01', '2026-03-31', 'UTC', ['2026-02-01T00:00', '2026-03-01T00:00']],
            ['three days with three days', '2026-03-10', '2026-03-12', 'UTC', ['2026-03-07T00:00', '2026-03-10T00:00']],
        ]) {
            await page.goto(`${PAGE}?range=custom&from=${from}&to=${to}&zone=${zone}`);
            await settled(page);
            same(name, [earlier().from, earlier().to], expected);
        }
        await page.selectOption('#compare', 'weekday');
        ok('the same weekdays', await until(() => earlier().from === '2026-03-03T00:00' && earlier().to === '2026-03-06T00:00') && await settled(page), JSON.stringify(earlier()));
        await page.selectOption('#compare', 'off');
        ok('or nothing', await until(() => query(page).compare === 'off') && await settled(page) && await text(page, '#compared') === '', await text(page, '#compared'));
        const pairs = page.asked.requests.length;
        await page.goto(`${PAGE}?range=custom&from=2099-01-01&to=2099-01-02&zone=UTC`);
        await settled(page);
        ok('a range that has not begun', !/00:00 – 00:00/.test(await text(page, 'main')), await text(page, '.span-line'));
        ok('asked no more than it shows', page.asked.requests.length - pairs <= 1, `${page.asked.requests.length - pairs} charts`);
        await page.context().close();
    },

    async links(browser, { admin }) {
        at('bad link');
        const page = await open(browser, { key: admin });
        for (const [what, search, words] of [
            ['over two months', '?range=custom&from=2026-01-01&to=2026-06-01&zone=UTC', /range can’t be shown.*at most two months.*last 24 hours/s],
            ['2026-02-31', '?range=custom&from=2026-02-31&to=2026-03-02&zone=UTC', /dates do not exist/],
            ['an unknown zone', '?range=24h&zone=Mars/Olympus', /Mars\/Olympus, is not known.*shown in UTC/s],
            ['an order that is no number', '?range=24h&zone=UTC&order=abc', /filter order was left out.*such as 42/s],
        ]) {
            await page.goto(PAGE + search);
            await settled(page);
            ok(`is said: ${what}`, words.test(await notice(page)), await notice(page));
        }
        await page.locator('#notice button').click();
        ok('until it is closed', !await shows(page, '#notice'), await notice(page));
        await page.context().close();
    },

    async startup(browser, { admin }) {
        at('time zone');
        const page = await open(browser, { key: admin, search: '' });
        await page.addInitScript(() => {
            const own = Intl.DateTimeFormat.prototype.resolvedOptions;
            Intl.DateTimeFormat.prototype.resolvedOptions = function () {
                return { ...own.call(this), timeZone: 'Etc/Unknown' };
            };
        });
        await page.goto(PAGE);
        ok('that the browser does not know itself', await settled(page) && query(page).zone === 'UTC' && /shown in UTC/.test(await notice(page)), await text(page, 'body'));
        await page.context().close();
        const other = await open(browser, { key: admin });
        await other.route(/timezone=Asia%2FTokyo/, (route) => route.fulfill({ status: 400, json: { message: 'analytics.timezone_invalid', detail: 'no' } }));
        await other.goto(`${PAGE}?range=24h&zone=Asia/Tokyo`);
        ok('that the service does not know', await until(() => query(other).zone === 'UTC') && await settled(other) && /does not know the time zone Asia\/Tokyo/.test(await notice(other)), await text(other, 'body'));
        await other.context().close();

        at('start-up');
        for (const [name, pattern, how] of [['a file that is missing', '**/format.js', { status: 404 }], ['an error', '**/dashboard.js', { contentType: 'text/javascript', body: 'throw new Error("on purpose")' }]]) {
            const context = await browser.newContext();
            await context.route(pattern, (route) => route.fulfill(how));
            const bare = await context.newPage();
            await bare.goto(PAGE);
            ok(name, await until(async () => await shows(bare, '#startup') && /Reload the page/.test(await text(bare, '#startup'))), await bare.locator('body').innerHTML());
            await context.close();
        }
    },

    async files(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=30d&zone=Europe/Kyiv&protocol=HTTPS', acceptDownloads: true });
        await settled(page);
        const zone = (bound) => `${bound}+02:00`;
        const range = last(page, 'breakdown');
        const mine = logs.filter((log) => log.protocol === 'HTTPS' && recount([log], { from: zone(range.from), to: zone(range.to) }).domains.size);
        at('whole lists');
        const domains = await csvOf(page, 'domains');
        same('of domains', domains.lines.length - 1, new Set(mine.map((log) => log.domain)).size);
        same('their column', domains.lines[0].split(',')[0], 'domain');
        ok('say what they are', /^domains_protocol-HTTPS_\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d_Europe-Kyiv\.csv$/.test(domains.name), domains.name);
        await page.selectOption('[data-panel="breakdown"] select', 'ip_out');
        await until(() => query(page).by === 'ip_out');
        await settled(page);
        const addresses = await csvOf(page, 'breakdown');
        same('of a breakdown', [addresses.lines[0].split(',')[0], addresses.lines.length - 1], ['ip_out', new Set(mine.map((log) => log.ip_out)).size]);
        ok('named by it', /^breakdown-by-ip_out_protocol-HTTPS_/.test(addresses.name), addresses.name);
        const errors = await csvOf(page, 'errors');
        same('of errors', errors.lines.length - 1, new Set(mine.filter((log) => log.error).map((log) => log.error)).size);
        await page.context().close();
    },

    async small(browser, { admin }) {
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC&domain=search.example' });
        await settled(page);
        ok('one is one', /· 1 domain$/.test((await text(page, '[data-panel="domains"] .pages span')).trim()), await text(page, '[data-panel="domains"] .pages span'));
        await page.click('#clear');
        await settled(page);
        same('no 14000 tn', await inPage(page, 'format.js', '(format) => [format.count("14000000000000000"), format.change("9000000000000", "1").text]'), ['14.0 qd', 'over ×1,000']);
        same('one bucket is in the middle', await (async () => {
            await page.goto(`${PAGE}?range=custom&from=${day(3)}T00:00&to=${day(3)}T00:01&zone=UTC`);
            await settled(page);
            return page.evaluate(() => ['traffic', 'concurrency'].map((panel) => {
                const chart = window.Chart.getChart(document.querySelector(`[data-panel="${panel}"] canvas`));
                const { left, right } = chart.chartArea;
                return Math.abs(chart.scales.x.getPixelForValue(0) - (left + right) / 2) < 2;
            }));
        })(), [true, true]);
        await page.goto(`${PAGE}?range=7d&zone=UTC`);
        await settled(page);
        same('all bars are as wide', await page.evaluate(() => {
            const chart = window.Chart.getChart(document.querySelector('[data-panel="concurrency"] canvas'));
            const bars = chart.getDatasetMeta(0).data;
            const shown = (bar) => Math.min(bar.x + bar.width / 2, chart.chartArea.right) - Math.max(bar.x - bar.width / 2, chart.chartArea.left);
            return [0, 60, bars.length - 1].map((i) => Math.round(shown(bars[i]) - shown(bars[60])));
        }), [0, 0, 0]);
        await page.goto(`${PAGE}?range=custom&from=2025-10-26T03:00:00%2B02:00&to=2025-10-26T03:30:00%2B02:00&zone=Europe/Kyiv`);
        await settled(page);
        ok('the repeated hour has its name', /03:00 EET – 03:30 EET/.test(await text(page, '#span')), await text(page, '#span'));

        at('theme');
        const other = await page.context().newPage();
        await other.addInitScript((value) => sessionStorage.setItem('analytics.key', value), admin);
        await other.goto(`${PAGE}?range=24h&zone=UTC`);
        await settled(other);
        await other.selectOption('#theme', 'dark');
        ok('goes to the other tabs', await until(() => page.evaluate(() => document.documentElement.dataset.theme === 'dark' && document.getElementById('theme').value === 'dark')), 'stays light');
        await page.context().close();
    },

    // What people read, and what they once read instead.
    async words(browser, { admin }) {
        const gate = await open(browser);
        const asked = await text(gate, '#gate');
        for (const words of ['Open dashboard', 'Kept only in this tab, never in the URL. No key? Ask your provider.']) ok(words, asked.includes(words), asked);
        await gate.context().close();
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC&error=connection+refused' });
        await settled(page);
        const all = await page.evaluate(() => document.body.innerText);
        for (const words of ['Sign out', 'Auto-refresh (30 s)', 'Show as table', 'Highest reported concurrency', 'Upload', 'Download', 'Count', 'Most affected domains',
            'First seen', 'of requests in logs with this error', 'Success rate']) ok(words, all.includes(words), all);
        for (const words of ['Forget the key', 'Refresh by itself', 'Values as a table', 'Peak concurrency', 'Sent', 'Received', 'Times', 'Among them at', 'Websites']) ok(`not ${words}`, !all.includes(words), all);
        same('the way past the head', await page.locator('.skip').textContent(), 'Skip to content');
        await page.click('#clear');
        await settled(page);
        await page.selectOption('[data-panel="breakdown"] select', 'peer');
        await until(() => query(page).by === 'peer');
        await settled(page);
        ok('exit nodes', (await names(page, 'breakdown')).length === 31 && await text(page, '[data-panel="breakdown"] th >> nth=0') === 'Exit node', await text(page, '[data-panel="breakdown"]'));
        await page.click('#ranges button[value="custom"]');
        await page.fill('#until', '2020-01-01');
        await page.click('#custom button');
        same('the end before the start', await text(page, '#custom-fault'), 'The end must be after the start.');
        await addFilter(page, 'order', 'x');
        same('no number', await text(page, '#filters-fault'), 'Order must be a number, such as 42.');
        await addFilter(page, 'domain', 'nobody.example');
        ok('nothing', await until(async () => /Nothing matches these filters/.test(await text(page, '#empty'))), await text(page, '#empty'));
        const { key } = newKey('--role', 'user', '--user-id', '4242', '--name', 'new customer');
        const customer = await open(browser, { key, search: '?range=24h&zone=UTC' });
        await settled(customer);
        ok('a customer without traffic', /No traffic in this period.*Traffic appears here once your proxies are used/s.test(await text(customer, '#empty')), await text(customer, '#empty'));
        ok('hears of no workers', !/worker|ingest/i.test(await text(customer, 'body')), await text(customer, 'body'));
        await customer.context().close();
        await page.context().close();
    },
};
