// steps_views.mjs: what a person does with the dashboard: key, ranges, zoom, filters, tables, looks, time zones.

import { readFileSync } from 'node:fs';
import { DISGUISED, HOSTILE, TWICE } from './logs.mjs';
import { addFilter, chartOf, chips, compareWithLogs, exactTotal, last, open, query, serious, settled, shows, text } from './page.mjs';
import { API, PAGE, ctl, instant, newKey, recount, startService, stopService } from './stage.mjs';
import { at, ok, pause, same, until } from './verdicts.mjs';

export const steps = {
    async key(browser, { admin, worker }) {
        const page = await open(browser);
        ok('asked for at first', await shows(page, '#gate') && !await shows(page, '#board'), 'no question');
        await serious(page, 'axe, the question for the key');
        const enter = async (value) => {
            await page.fill('#key', value);
            await page.click('#gate-form button');
        };
        await enter('not a key');
        ok('what can’t be a key', await until(async () => /can’t be a key/.test(await text(page, '#gate-fault'))), 'is not said');
        await enter(`fnp_${'0'.repeat(64)}`);
        ok('a wrong key', await until(async () => /doesn’t work/.test(await text(page, '#gate-fault'))), 'is not said');
        await enter(worker);
        ok('a worker’s key', await until(async () => /worker’s key: it can only send/.test(await text(page, '#gate-fault'))), 'is not explained');
        same('none of them is kept', await page.evaluate(() => sessionStorage.getItem('analytics.key')), null);
        await enter(admin);
        ok('an admin’s key', await settled(page), 'shows nothing');
        same('kept for the tab only', await page.evaluate(() => [sessionStorage.getItem('analytics.key') !== null, Object.values({ ...localStorage })]), [true, []]);
        await page.reload();
        ok('kept over a reload', await settled(page), 'asks again');
        await page.click('#leave');
        ok('forgotten', await until(() => shows(page, '#gate')) && await page.evaluate(() => sessionStorage.getItem('analytics.key')) === null, 'is still there');
        await page.context().close();
    },

    async ranges(browser, { admin, logs }) {
        const page = await open(browser, { key: admin });
        await settled(page);
        for (const [name, buckets] of [['today', null], ['24h', 96], ['7d', 168], ['30d', 30], ['month', null]]) {
            at(`range ${name}`);
            await page.click(`#ranges button[value="${name}"]`);
            ok('loads', await settled(page), await text(page, 'body'));
            same('is in the URL', query(page).range, name);
            same('is marked', await page.locator('#ranges [aria-pressed="true"]').getAttribute('value'), name);
            const chart = await compareWithLogs(page, logs);
            if (buckets) same('zero-filled', chart.buckets, buckets);
            ok('reaches to now', instant(last(page, 'requests').to) > Date.now(), last(page, 'requests').to);
        }
        at('custom range');
        await page.click('#ranges button[value="custom"]');
        const day = (back) => new Date(Date.now() - back * 86400000).toISOString().slice(0, 10);
        await page.fill('#from', `${day(90)} 00:00`);
        await page.fill('#until', `${day(1)} 00:00`);
        await page.click('#custom button');
        ok('over two months', /two months/.test(await text(page, '#custom-fault')), 'is not refused');
        await page.fill('#from', `${day(1)} 00:00`);
        await page.fill('#until', `${day(4)} 00:00`);
        await page.click('#custom button');
        ok('backwards', /after the start/.test(await text(page, '#custom-fault')), 'is not refused');
        await page.fill('#from', `${day(4)} 00:00`);
        await page.fill('#until', `${day(1)} 00:00`);
        await page.click('#custom button');
        ok('loads', await until(() => query(page).from === day(4)) && await settled(page), page.url());
        same('days in the URL', [query(page).from, query(page).to], [day(4), day(2)]);
        same('hours', (await compareWithLogs(page, logs)).buckets, 72);
        await page.goBack();
        ok('Back goes back', await until(() => query(page).range === 'custom' && query(page).from !== day(4)), page.url());
        await page.context().close();
    },

    async zoom(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC' });
        await settled(page);
        const before = last(page, 'requests');
        const box = await page.locator('[data-panel="traffic"] canvas').boundingBox();
        const drag = async (from, to) => {
            await page.mouse.move(box.x + box.width * from, box.y + 90);
            await page.mouse.down();
            await page.mouse.move(box.x + box.width * (from + to) / 2, box.y + 95, { steps: 3 });
            await page.mouse.move(box.x + box.width * to, box.y + 100, { steps: 3 });
        };
        await drag(0.4, 0.6);
        ok('the brush', await shows(page, '[data-panel="traffic"] .brush'), 'is not shown');
        await page.keyboard.press('Escape');
        await page.mouse.up();
        same('Escape drops it', query(page).range, '7d');
        await drag(0.4, 0.6);
        await page.mouse.up();
        ok('dragging zooms in', await until(() => query(page).range === 'custom') && await settled(page), page.url());
        const inside = last(page, 'requests');
        const hours = (instant(inside.to) - instant(inside.from)) / 3600000;
        ok('to about a fifth', hours > 28 && hours < 40 && instant(inside.from) > instant(before.from) && instant(inside.to) < instant(before.to), JSON.stringify(inside));
        await compareWithLogs(page, logs);
        await page.locator('body').press('Escape');
        ok('Escape zooms out', await until(() => query(page).range === '7d') && await settled(page), page.url());
        await page.goBack();
        ok('Back zooms in again', await until(() => query(page).range === 'custom') && await settled(page), page.url());
        await page.click('#zoom-out');
        ok('the button zooms out', await until(() => query(page).range === '7d') && await settled(page), page.url());

        at('chart by keyboard');
        await page.locator('[data-panel="requests"] .chart').focus();
        await page.keyboard.press('ArrowRight');
        ok('values are said', await until(async () => /Requests: .*\(.*\), Errors: /.test(await page.locator('#announcer').textContent())), await page.locator('#announcer').textContent());
        for (let i = 0; i < 5; i++) await page.keyboard.press('Shift+ArrowRight');
        await page.keyboard.press('Enter');
        ok('Enter zooms in', await until(() => query(page).range === 'custom') && await settled(page), page.url());
        same('to what was selected', (instant(last(page, 'requests').to) - instant(last(page, 'requests').from)) / 3600000, 6);
        await page.locator('[data-panel="requests"] .values summary').press('Enter');
        const rows = page.locator('[data-panel="requests"] .values tbody tr');
        ok('and stands as a table', await until(async () => await rows.count() === 24), `${await rows.count()} rows, expected 24`);
        await page.context().close();
    },

    async filters(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=30d&zone=UTC' });
        await settled(page);
        const pick = async (panel, name) => {
            await page.locator(`[data-panel="${panel}"] .pick`, { hasText: name }).first().click();
        };
        const domain = 'video.streambox.example';
        await pick('domains', domain);
        ok('a domain', await until(() => query(page).domain === domain) && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.domain === domain);
        same('is a chip', await chips(page), [`Domain is ${domain}`]);
        const shared = page.url();
        await page.click('#clear');
        ok('and cleared', await until(() => query(page).domain === undefined) && await settled(page), page.url());

        at('hostile domain');
        const cell = page.locator('[data-panel="domains"] .pick', { hasText: '<img' });
        same('is text', await cell.first().innerText(), HOSTILE);
        await cell.first().click();
        ok('filters', await until(() => query(page).domain === HOSTILE) && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.domain === HOSTILE);
        same('made no element', await page.evaluate(() => document.querySelectorAll('img[src="x"]').length), 0);
        ok('ran nothing', (await page.title()).includes(HOSTILE), await page.title());

        at('disguised domain');
        await page.click('#clear');
        await pick('domains', 'moc.hcraes');
        ok('filters', await until(() => query(page).domain === DISGUISED) && await settled(page), page.url());
        same('shows what it is', [await text(page, '[data-panel="domains"] .pick'), (await page.title()).includes('\u202e')], ['⟨U+202E⟩moc.hcraes', false]);

        at('broken address');
        const broken = await open(browser, { key: admin, search: '?range=custom&from=2026-11-20T25:61&to=x&zone=%3Cimg%3E&order=abc&user=-1&page=0&sort=zz&by=__proto__' });
        ok('shows the default', await settled(broken), await text(broken, 'body'));
        same('and says so', query(broken), { range: '24h', zone: 'UTC' });
        await broken.goto(`${PAGE}?range=custom&from=1970-01-01T00:00Z&to=1970-01-01T02:00Z&zone=UTC`);
        ok('shows the first hours that there are', await settled(broken), await text(broken, 'body'));
        same('and not the default', query(broken).range, 'custom');
        await broken.goto(`${PAGE}?zone=UTC&domain=${'y'.repeat(3000)}`);
        ok('too long a domain', await until(async () => /at most 253 bytes/.test(await text(broken, '[data-panel="domains"]'))), await text(broken, '[data-panel="domains"]'));
        ok('does not widen the page', await broken.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it does');
        await broken.context().close();

        at('no domain');
        await page.click('#clear');
        await pick('domains', '(none)');
        ok('filters', await until(() => query(page).domain === '') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.domain === '');
        same('stands in the URL', (await text(page, '#span')).endsWith('domain (none)'), true);

        at('filter by order');
        await page.click('#clear');
        await page.selectOption('[data-panel="breakdown"] select', 'order');
        await until(() => page.locator('[data-panel="breakdown"] .pick').count());
        await pick('breakdown', /^3$/);
        ok('an order', await until(() => query(page).order === '3') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.order_id === 3);

        at('filter by user');
        await page.click('#clear');
        await addFilter(page, 'user', 'x');
        ok('what is no number', /User must be a number, such as 42/.test(await text(page, '#filters-fault')), 'is not refused');
        await addFilter(page, 'user', '2');
        ok('a user', await until(() => query(page).user === '2') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.user_id === 2);

        at('an error');
        await page.click('#clear');
        await settled(page);
        await pick('errors', 'connection refused');
        ok('filters', await until(() => query(page).error === 'connection refused') && await settled(page), page.url());
        const refused = (log) => log.error === 'connection refused';
        const { sums } = await compareWithLogs(page, logs, refused);
        same('is a chip', await chips(page), ['Error is connection refused']);
        same('stands in the heading', (await text(page, '#span')).endsWith('error connection refused'), true);
        same('alone in its list', await page.locator('[data-panel="errors"] tbody th').allInnerTexts(), ['connection refused']);
        ok('on as many domains', (await text(page, '[data-panel="domains"] .pages')).includes(` ${sums.domains.size} domains`), await text(page, '[data-panel="domains"] .pages'));
        await page.locator('[data-panel="errors"] .samples .pick').first().click();
        ok('leads on to a domain', await until(() => query(page).domain) && await settled(page), page.url());
        const affected = query(page).domain;
        await compareWithLogs(page, logs, (log) => refused(log) && log.domain === affected);
        await page.locator('.chip[data-key="error"] .chip-remove').click();
        ok('and is taken away', await until(() => query(page).error === undefined) && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.domain === affected);

        at('empty view');
        await addFilter(page, 'domain', 'nobody.was.here.example');
        ok('says what to do', await until(async () => await shows(page, '#empty') && /Remove a filter/.test(await text(page, '#empty'))), await text(page, 'main'));
        await serious(page, 'axe');

        at('shared view');
        const other = await open(browser, { key: admin, search: new URL(shared).search, timezoneId: 'Asia/Tokyo' });
        await settled(other);
        same('shows the same', [await chips(other), query(other), await text(other, '#span')],
            [[`Domain is ${domain}`], Object.fromEntries(new URL(shared).searchParams), await text(other, '#span')]);
        await compareWithLogs(other, logs, (log) => log.domain === domain);
        await other.context().close();
        await page.context().close();
    },

    async tables(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=30d&zone=UTC', acceptDownloads: true });
        await settled(page);
        at('domains');
        const names = () => page.locator('[data-panel="domains"] tbody th').allInnerTexts();
        const foot = () => text(page, '[data-panel="domains"] .pages');
        const sums = new Map();
        for (const log of logs) {
            if (recount([log], last(page, 'breakdown')).domains.size === 0) continue;
            const sum = sums.get(log.domain) ?? { bytes: 0, count: 0, errors: 0 };
            sums.set(log.domain, { bytes: sum.bytes + log.bytes_sent + log.bytes_received, count: sum.count + log.count, errors: sum.errors + log.error_count });
        }
        const first = await names();
        ok('how many', (await foot()).includes(`${sums.size} domains`), await foot());
        await page.click('[aria-label="Next page"]');
        ok('the next page', await until(() => query(page).page === '2') && await settled(page), page.url());
        const second = await names();
        ok('has others', second.length === 25 && second.every((name) => !first.includes(name)), second.join(' '));
        await page.click('[aria-label="Last page"]');
        ok('the last page', await until(() => query(page).page === String(Math.ceil(sums.size / 25))) && await settled(page), page.url());
        same('has the rest', (await names()).length, sums.size % 25);
        for (const [heading, sort, value] of [['Requests', 'count', (sum) => sum.count], ['Errors', 'errors', (sum) => sum.errors],
            ['Error %', 'error_rate', (sum) => sum.errors / sum.count], ['Traffic', undefined, (sum) => sum.bytes]]) {
            await page.locator('[data-panel="domains"] .sort', { hasText: new RegExp(`^${heading}`) }).click();
            ok(`sorted by ${heading}`, await until(() => query(page).sort === sort && query(page).page === undefined) && await settled(page), page.url());
            const expected = [...sums].sort((a, b) => value(b[1]) - value(a[1])).slice(0, 3).map(([name]) => name);
            same(`the first by ${heading}`, (await names()).slice(0, 3), expected);
            same(`${heading} says so`, await page.locator('[data-panel="domains"] th[aria-sort="descending"]').innerText(), `${heading} ↓`.replace(' ↓', ''));
        }

        at('breakdown');
        for (const [by, member] of [['worker', 'worker'], ['protocol', 'protocol'], ['peer', 'peer_id'], ['user', 'user_id']]) {
            await page.selectOption('[data-panel="breakdown"] select', by);
            await until(() => (query(page).by ?? 'order') === by);
            await settled(page);
            const values = new Set(logs.filter((log) => recount([log], last(page, 'breakdown')).count).map((log) => String(log[member])));
            const rows = await page.locator('[data-panel="breakdown"] tbody tr').count();
            same(`by ${by}`, rows, values.size > 30 ? 31 : values.size);
        }

        for (const panel of ['traffic', 'requests', 'concurrency']) {
            at(`CSV of ${panel}`);
            const [download] = await Promise.all([page.waitForEvent('download'), page.locator(`[data-panel="${panel}"] .panel-head button`, { hasText: 'CSV' }).click()]);
            const lines = readFileSync(await download.path(), 'utf8').trimEnd().split('\r\n');
            const answer = await fetch(`${API}/${panel}?${new URLSearchParams(page.asked[panel].at(-1))}`, { headers: { 'x-api-key': admin } });
            same('is what the API says', lines, (await answer.text()).trimEnd().split('\r\n'));
            ok('has a name', new RegExp(`^${panel}_.*\\.csv$`).test(download.suggestedFilename()), download.suggestedFilename());
            ok('has lines', lines.length > 1, lines.join('\n'));
        }
        await page.context().close();
    },

    async look(browser, { admin }) {
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC', colorScheme: 'dark' });
        await settled(page);
        const light = () => page.evaluate(() => /^rgb\((\d+)/.exec(getComputedStyle(document.body).backgroundColor)[1] > 128);
        at('dark');
        same('as the system says', await light(), false);
        await serious(page, 'axe');
        await page.selectOption('#theme', 'light');
        same('switched off', await light(), true);
        await page.reload();
        await settled(page);
        same('kept', [await light(), await page.inputValue('#theme')], [true, 'light']);
        await page.selectOption('#theme', 'system');
        same('the system’s again', await light(), false);
        await page.emulateMedia({ colorScheme: 'light' });
        ok('and it changes', await until(light), 'stays dark');
        at('light');
        await page.locator('[data-panel="traffic"] .values summary').click();
        await serious(page, 'axe');
        at('narrow');
        for (const width of [2560, 768, 360, 320]) {
            await page.setViewportSize({ width, height: 760 });
            await pause(100);
            ok(`${width} px`, await until(() => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)), 'scrolls sideways');
            const outside = await page.evaluate(() => [...document.querySelectorAll('button, input, select, h2, .value')]
                .filter((node) => !node.closest('.scroll, .unseen, .skip') && node.getClientRects().length > 0)
                .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5).map((node) => node.outerHTML.slice(0, 80)));
            same(`${width} px, all within`, outside, []);
        }
        same('what takes a chart away stays together', await page.evaluate(() => [...document.querySelectorAll('.panel-head')].filter((head) =>
            new Set([...head.querySelectorAll('.take:not([hidden])')].map((one) => one.offsetTop)).size > 1).map((head) => head.innerText)), []);
        await serious(page, 'axe');
        at('keyboard');
        await page.setViewportSize({ width: 1440, height: 1000 });
        await page.reload();
        await settled(page);
        await page.keyboard.press('Tab');
        same('first, the way past the head', await page.evaluate(() => document.activeElement.className), 'skip');
        const reached = new Set();
        for (let i = 0; i < 90; i++) {
            await page.keyboard.press('Tab');
            reached.add(await page.evaluate(() => document.activeElement.value || document.activeElement.id || document.activeElement.className));
        }
        for (const what of ['today', 'UTC', 'domain', 'chart', 'pick', 'scroll']) ok(`reaches ${what}`, reached.has(what), [...reached].join(' '));
        await page.locator('#ranges button[value="today"]').focus();
        await page.keyboard.press('Enter');
        ok('Enter picks a range', await until(() => query(page).range === 'today'), page.url());
        await page.context().close();
    },

    async zone(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=today' });
        await settled(page);
        same('the browser’s own at first', query(page).zone, 'UTC');
        await page.fill('#zone', 'Asia/Tehran');
        await page.press('#zone', 'Enter'); // +03:30, without summer time
        ok('another', await until(() => query(page).zone === 'Asia/Tehran') && await settled(page), page.url());
        const today = new Date(Date.now() + 210 * 60000).toISOString().slice(0, 10);
        const range = last(page, 'requests');
        same('midnight there', [range.from, range.timezone], [`${today}T00:00`, 'Asia/Tehran']);
        const sums = recount(logs, { from: `${range.from}+03:30`, to: `${range.to}+03:30` });
        same('figures', [(await chartOf(page, 'requests')).sums, await exactTotal(page, 'Requests')], [[sums.count, sums.errors], sums.count]);

        const kyiv = await open(browser, { key: admin, search: '', timezoneId: 'Europe/Kiev' });
        ok('by today’s name', await settled(kyiv) && query(kyiv).zone === 'Europe/Kyiv' && await kyiv.inputValue('#zone') === 'Europe/Kyiv', kyiv.url());
        await kyiv.context().close();

        at('day of 25 hours');
        await page.goto(`${PAGE}?range=custom&from=${TWICE}&to=${TWICE}&zone=Europe/Kyiv`);
        await settled(page);
        same('quarters', [(await chartOf(page, 'requests')).buckets, (await chartOf(page, 'requests')).sums[0], await exactTotal(page, 'Requests')], [100, 100, 100]);
        await page.locator('[data-panel="requests"] .chart').focus();
        for (let i = 0; i < 17; i++) await page.keyboard.press('ArrowRight'); // 03:00, the second time
        await page.keyboard.press('Shift+ArrowRight');
        await page.keyboard.press('Enter');
        ok('the second hour', await until(() => query(page).from !== TWICE) && await settled(page), page.url());
        same('is asked for', [last(page, 'requests').from, last(page, 'requests').to], [`${TWICE}T03:00:00+02:00`, `${TWICE}T03:30:00+02:00`]);
        same('has its figures', await exactTotal(page, 'Requests'), 2);
        await page.goto(`${PAGE}?range=custom&from=2025-09-01&to=2025-10-31&zone=Europe/Kyiv`);
        await settled(page);
        same('two months by the clock', [(await chartOf(page, 'requests')).buckets, (await chartOf(page, 'requests')).most[0]], [61, 100]);
        await page.context().close();
    },

    async user(browser, { logs }) {
        const { key } = newKey('--role', 'user', '--user-id', '3', '--name', 'customer');
        const page = await open(browser, { key, search: '?range=30d&zone=UTC' });
        await settled(page);
        await compareWithLogs(page, logs, (log) => log.user_id === 3);
        same('no filter by user', await page.locator('#field option[value="user"]').count(), 0);
        await page.context().close();
    },
};
