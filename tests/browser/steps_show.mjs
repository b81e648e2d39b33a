// steps_show.mjs: what makes the dashboard worth showing: success, filters by anything, the earlier period, live figures, patterns,
// first steps, frames.
//
// Seen to fail:
//   success of count + errors -> "FAIL success: the rate", and "a line on an axis of its own"
//   the tint at the total's rate -> "FAIL success: twice the rate of all are tinted"
//   the total in place of the average -> "FAIL speed: a chart, bucket by bucket"
//   Shift ignored -> "FAIL filter by anything: Shift leaves out", and "as a chip"
//   not_ dropped from the API's parameters -> "FAIL filter by anything: traffic chart", and the others
//   the earlier period by another granularity -> "FAIL earlier period: is drawn bucket by bucket"
//   averages over buckets still to come -> "FAIL weekdays and hours: averages"
//   the workers of the last minutes not taken away -> "FAIL live: who is silent", and "and no other"
//   the breakdown stays where it was -> "FAIL question: through which worker", and "FAIL onward: to the next field"
//   each table has an order of its own -> "FAIL question: on which domain", and "FAIL one order of rows: for both tables, from the first page"
//   the end of a range as the API has it -> "FAIL ends: a month in a file’s name", and "and in the fields"
//   a frame's page with all panels -> "FAIL frame: one panel, nothing around it", and "asks for no other"

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { SILENT_WORKER } from './logs.mjs';
import { chartOf, chips, addFilter, compareWithLogs, exactTotal, last, open, query, serious, settled, shows, text } from './page.mjs';
import { API, PAGE, instant, keyOf, newKey, post, recount } from './stage.mjs';
import { at, ok, same, until } from './verdicts.mjs';

const pick = (page, panel, name) => page.locator(`[data-panel="${panel}"] .pick`, { hasText: name }).first();
const rowsOf = (page, panel) => page.locator(`[data-panel="${panel}"] tbody tr`).evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.innerText.trim())));

const shownName = (name) => (name === '' ? '(none)' : name.replace('\u202e', '⟨U+202E⟩'));

// What sticks out of an element.
const spills = (page, selector) => page.locator(selector).evaluate((box) => [...box.querySelectorAll('pre, button, input')]
    .filter((node) => node.getBoundingClientRect().right > box.getBoundingClientRect().right).map((node) => node.outerHTML.slice(0, 60)));

export const steps = {
    async success(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC' });
        await settled(page);
        const range = last(page, 'breakdown');
        const sums = recount(logs, range);
        const rate = (Math.floor((1 - sums.errors / sums.count) * 10000) / 100).toFixed(2);
        same('the rate', await text(page, '.total:has(.success) .value'), `${rate} %`);
        const line = await page.evaluate(() => {
            const { data } = window.Chart.getChart(document.querySelector('[data-panel="requests"] canvas'));
            const [requests, errors, success] = ['total_count', 'total_errors', 'success'].map((key) => data.datasets.find(({ measure }) => measure === key));
            return { axis: success.yAxisID, wrong: success.data.filter((value, i) => (requests.data[i] === 0 ? value !== null : Math.abs(value - 100 * (1 - errors.data[i] / requests.data[i])) > 0.001)).length };
        });
        same('a line on an axis of its own', line, { axis: 'rate', wrong: 0 });
        const whole = sums.errors / sums.count;
        const byDomain = new Map();
        for (const log of logs) {
            if (!recount([log], range).count && !recount([log], range).domains.size) continue;
            const sum = byDomain.get(shownName(log.domain)) ?? { count: 0, errors: 0 };
            byDomain.set(shownName(log.domain), { count: sum.count + log.count, errors: sum.errors + log.error_count });
        }
        await page.locator('[data-panel="domains"] .sort', { hasText: 'Error %' }).click();
        await until(() => query(page).sort === 'error_rate');
        await settled(page);
        const shown = await page.locator('[data-panel="domains"] tbody tr').evaluateAll((rows) => rows.map((row) => [row.querySelector('th').innerText, row.querySelector('td.high') !== null]));
        const expected = shown.map(([name]) => [name, byDomain.get(name).errors > 2 * whole * byDomain.get(name).count]);
        same('twice the rate of all are tinted', shown, expected);
        ok('some are, some are not', expected.some(([, high]) => high) && expected.some(([, high]) => !high), JSON.stringify(expected));
        same('breakdowns have the column too', await page.locator('[data-panel="breakdown"] thead th', { hasText: 'Error %' }).count(), 1);
        await page.context().close();
    },

    async speed(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC', colorScheme: 'dark', acceptDownloads: true });
        await settled(page);
        const range = last(page, 'breakdown');
        const averageOf = ({ duration, count }) => Math.floor(duration / count);
        const groupsOf = (keyOf) => {
            const groups = new Map();
            for (const log of logs.filter((one) => recount([one], range).domains.size)) {
                const group = groups.get(keyOf(log)) ?? { duration: 0, count: 0, first: log.ts, last: log.ts };
                const [first, last] = [group.first, log.ts, group.last].sort().filter((_, i) => i !== 1);
                groups.set(keyOf(log), { duration: group.duration + (log.duration_ms ?? 0), count: group.count + log.count, first, last });
            }
            return groups;
        };
        const ranked = (groups) => [...groups].map(([name, group]) => [name, averageOf(group)]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
        const cellsOf = (panel) => page.locator(`[data-panel="${panel}"] table`).evaluate((table) => {
            const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.innerText === 'Duration');
            return [...table.tBodies[0].rows].map((row) => [row.cells[0].innerText, at < 0 ? null : Number(row.cells[at].firstChild.title.replace(/[^0-9]/g, ''))]);
        });
        same('a figure', await exactTotal(page, 'Average'), averageOf(recount(logs, range)));
        const begin = instant(last(page, 'requests').from);
        const hours = [...groupsOf((log) => Math.floor((Date.parse(`${log.ts.replace(' ', 'T')}Z`) - begin) / 3600000))];
        const expected = Array(168).fill(null);
        for (const [hour, group] of hours) if (hour >= 0 && hour < 168) expected[hour] = averageOf(group);
        same('a chart, bucket by bucket', await page.evaluate(() => window.Chart.getChart(document.querySelector('[data-panel="speed"] canvas')).data.datasets[0].data), expected);
        await page.locator('[data-panel="speed"] .chart').focus();
        await page.keyboard.press('ArrowRight');
        ok('which says its values', await until(async () => /Duration: .*\(.* ms\)/.test(await page.locator('#announcer').textContent())), await page.locator('#announcer').textContent());

        await page.locator('[data-panel="domains"] .sort', { hasText: 'Duration' }).click();
        await until(() => query(page).sort === 'duration');
        await settled(page);
        const byDomain = groupsOf((log) => log.domain);
        same('the slowest domains', await cellsOf('domains'), ranked(byDomain).slice(0, 25).map(([name, average]) => [shownName(name), average]));
        same('when each was seen', await page.locator('[data-panel="domains"] tbody tr').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('.time')].map((cell) => cell.title))),
            ranked(byDomain).slice(0, 25).map(([name]) => [byDomain.get(name).first, byDomain.get(name).last]));
        await page.selectOption('[data-panel="breakdown"] select', 'worker');
        await until(() => query(page).by === 'worker');
        await settled(page);
        same('and workers', await cellsOf('breakdown'), ranked(groupsOf((log) => log.worker ?? '')).map(([name, average]) => [shownName(name), average]));
        const [file] = await Promise.all([page.waitForEvent('download'), page.locator('[data-panel="speed"] button', { hasText: 'CSV' }).click()]);
        const lines = readFileSync(await file.path(), 'utf8').trimEnd().split('\r\n').map((line) => line.split(','));
        same('as a file', [file.suggestedFilename().split('_')[0], lines[0].at(-1), lines.slice(1).map((line) => line.at(-1))],
            ['speed', 'avg_duration_ms', expected.map((average) => String(average ?? ''))]);
        await serious(page, 'axe, dark');
        await page.emulateMedia({ colorScheme: 'light' });
        await serious(page, 'axe, light');
        await page.setViewportSize({ width: 360, height: 760 });
        ok('narrow', await until(() => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)), 'scrolls sideways');
        await page.setViewportSize({ width: 1440, height: 1000 });

        at('no speed');
        const shown = async () => [await page.locator('.total:has(.avg_duration_ms)').count(), await shows(page, '[data-panel="speed"]'), await page.locator('th', { hasText: 'Duration' }).count()];
        await addFilter(page, 'worker', SILENT_WORKER);
        await until(() => query(page).worker === SILENT_WORKER);
        await settled(page);
        same('where no log says it', await shown(), [0, false, 0]);
        await page.click('#clear');
        await until(() => query(page).worker === undefined);
        await settled(page);
        same('and back', await shown(), [1, true, 2]);
        await page.route('**/analytics/{requests,summary,breakdown}?*', async (route) => {
            const body = await (await route.fetch()).text();
            await route.fulfill({ body: body.replace(/"(total_duration_ms|avg_duration_ms|first_seen|last_seen)":"[^"]*"/g, '"$1":null'), contentType: 'application/json' });
        });
        await page.click('#ranges button[value="30d"]');
        await until(() => query(page).range === '30d');
        await settled(page);
        same('where the service does not know it', await shown(), [0, false, 0]);
        same('nor when', await page.locator('[data-panel="domains"] th', { hasText: 'seen' }).count(), 0);
        await page.unrouteAll({ behavior: 'ignoreErrors' });
        await page.goto(`${PAGE}?range=7d&zone=UTC&embed=1&panel=speed&worker=${SILENT_WORKER}`);
        ok('a frame says why it is empty', await until(async () => /No log of this period says/.test(await text(page, '[data-panel="speed"]'))), await text(page, 'body'));
        await page.context().close();
    },

    async anything(browser, { admin, logs }) {
        at('filter by anything');
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC' });
        await settled(page);
        for (const [key, value, matches] of [['worker', 'worker-02', (log) => log.worker === 'worker-02'], ['protocol', 'SOCKS5', (log) => log.protocol === 'SOCKS5'],
            ['port', '443', (log) => log.port === 443], ['ip_out', '198.51.100.7', (log) => log.ip_out === '198.51.100.7'], ['ip_from', '203.0.113.7', (log) => log.ip_from === '203.0.113.7'],
            ['peer', 'peer-105', (log) => log.peer_id === 'peer-105']]) {
            await page.selectOption('[data-panel="breakdown"] select', key);
            await until(() => query(page).by === key);
            await settled(page);
            await pick(page, 'breakdown', value).click();
            ok(key, await until(() => query(page)[key] === value) && await settled(page), page.url());
            await compareWithLogs(page, logs, matches);
            await page.locator(`.chip[data-key="${key}"] .chip-remove`).press('Enter');
            ok(`${key} by keyboard away`, await until(() => query(page)[key] === undefined) && await settled(page), page.url());
        }
        await page.selectOption('[data-panel="breakdown"] select', 'worker');
        await until(() => query(page).by === 'worker');
        await settled(page);
        await pick(page, 'breakdown', 'worker-03').click({ modifiers: ['Shift'] });
        ok('Shift leaves out', await until(() => query(page).not_worker === 'worker-03') && await settled(page), page.url());
        same('as a chip', await chips(page), ['Worker is not worker-03']);
        await compareWithLogs(page, logs, (log) => log.worker !== 'worker-03');
        await page.locator('.chip-turn').press('Enter');
        ok('the chip turns round', await until(() => query(page).worker === 'worker-03') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.worker === 'worker-03');
        await page.reload();
        await settled(page);
        same('in the URL', await chips(page), ['Worker is worker-03']);
        await page.click('#clear');
        await settled(page);
        await addFilter(page, 'domain', 'https://user@Video.streambox.example:8443/watch?v=1');
        ok('a pasted URL is its host', await until(() => query(page).domain === 'video.streambox.example') && await settled(page), page.url());
        await page.click('#clear');
        await addFilter(page, 'domain', '*.social.example');
        ok('a domain and all below', await until(() => query(page).domain === '*.social.example') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => /(^|\.)social\.example$/.test(log.domain));
        await page.click('#clear');
        await settled(page);
        await page.selectOption('#field', 'domain');
        await page.fill('#value', 'social');
        const suggested = () => page.locator('#suggestions option').evaluateAll((options) => options.map((option) => option.value));
        ok('suggestions contain what is typed', await until(async () => (await suggested()).sort().join() === 'auth.social.example,m.social.example'), (await suggested()).join());
        await page.fill('#value', '');

        at('domains');
        await page.fill('[data-panel="domains"] input', 'social');
        ok('the search', await until(() => query(page).search === 'social') && await settled(page), page.url());
        same('finds what contains it', (await rowsOf(page, 'domains')).map(([name]) => name).sort(), ['auth.social.example', 'm.social.example']);
        same('shares are of all', (await rowsOf(page, 'domains'))[0][2] !== '100 %', true);
        await page.context().close();
    },

    async earlier(browser, { admin, logs }) {
        at('earlier period');
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC' });
        await settled(page);
        const drawn = await page.evaluate(() => {
            const { data } = window.Chart.getChart(document.querySelector('[data-panel="traffic"] canvas'));
            return data.datasets.filter(({ earlier }) => earlier).map((one) => one.data)[0];
        });
        const asked = page.asked.requests.at(-1);
        const begin = instant(asked.from);
        const expected = Array(168).fill(0);
        for (const log of logs) {
            const hour = Math.floor((Date.parse(`${log.ts.replace(' ', 'T')}Z`) - begin) / 3600000);
            if (hour >= 0 && hour < 168) expected[hour] += log.bytes_sent + log.bytes_received;
        }
        same('is drawn bucket by bucket', drawn, expected);
        await page.locator('[data-panel="traffic"] .chart').focus();
        await page.keyboard.press('ArrowRight');
        ok('is said with the values', await until(async () => /Download: .*, earlier: /.test(await page.locator('#announcer').textContent())), await page.locator('#announcer').textContent());
        same('the bucket that is not over is hatched', await page.evaluate(() => {
            const { data } = window.Chart.getChart(document.querySelector('[data-panel="traffic"] canvas'));
            return data.datasets[0].backgroundColor.map((ink) => ink instanceof CanvasPattern).lastIndexOf(true);
        }), 167);
        await page.click('[data-panel="traffic"] .key.earlier');
        same('can be hidden', await page.locator('[data-panel="traffic"] .key.earlier').getAttribute('aria-pressed'), 'false');
        await page.context().close();
    },

    async periods(browser, { admin }) {
        const page = await open(browser, { key: admin, search: '?range=today&zone=Europe/Kyiv' });
        await settled(page);
        ok('nothing comes after today', await page.locator('#later').isDisabled(), 'it does');
        await page.click('#earlier');
        ok('before today', await until(() => query(page).range === 'yesterday') && await settled(page), page.url());
        await page.click('#earlier');
        ok('and before that', await until(() => query(page).range === 'custom' && query(page).from === query(page).to) && await settled(page), page.url());
        const ago = (Date.parse(new Date().toISOString().slice(0, 10)) - Date.parse(query(page).from)) / 86400000;
        ok('two days', ago >= 1 && ago <= 2, String(ago));
        await page.click('#later');
        ok('and ahead again', await until(() => query(page).range === 'yesterday') && await settled(page), page.url());
        await page.click('#ranges button[value="month"]');
        await settled(page);
        await page.click('#earlier');
        ok('before this month, the last', await until(() => query(page).range === 'lastmonth') && await settled(page), page.url());
        const from = last(page, 'requests').from;
        await page.click('#earlier');
        ok('and the one before it', await until(() => query(page).range === 'custom') && await settled(page) && last(page, 'requests').from < from && /-01T00:00$/.test(last(page, 'requests').from), page.url());
        await page.goto(`${PAGE}?range=custom&from=2026-03-01&to=2026-03-31&zone=UTC`);
        await settled(page);
        await page.click('#later');
        ok('April follows March', await until(() => query(page).from === '2026-04-01' && query(page).to === '2026-04-30') && await settled(page), page.url());

        at('click on a bar');
        await page.goto(`${PAGE}?range=7d&zone=UTC`);
        await settled(page);
        const box = await page.locator('[data-panel="traffic"] canvas').boundingBox();
        await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
        ok('zooms into it', await until(() => query(page).range === 'custom') && await settled(page), page.url());
        same('to the hour, by the minute', [(instant(last(page, 'requests').to) - instant(last(page, 'requests').from)) / 60000, (await chartOf(page, 'traffic')).buckets], [60, 60]);

        at('time zone');
        await page.fill('#zone', 'asia/kathmandu');
        await page.press('#zone', 'Enter');
        ok('in any case of its letters', await until(() => query(page).zone === 'Asia/Kathmandu') && await settled(page), page.url());
        same('with its offset', await text(page, '#zone-offset'), 'UTC+05:45');
        await page.fill('#zone', 'Kathmandu City');
        await page.press('#zone', 'Enter');
        ok('one that is none', await until(async () => /is not a time zone/.test(await text(page, '#zone-fault'))), await text(page, '#zone-fault'));
        same('the list says offsets', await page.locator('#zones option[value="Asia/Tehran"]').textContent(), 'UTC+03:30');
        await page.context().close();
    },

    async patterns(browser, { admin, logs }) {
        at('weekdays and hours');
        const page = await open(browser, { key: admin, search: '?range=30d&zone=UTC' });
        await settled(page);
        const range = last(page, 'breakdown');
        const hours = new Map();
        for (let hour = instant(range.from); hour <= Date.now(); hour += 3600000) {
            const key = new Date(hour).getUTCDay() * 24 + new Date(hour).getUTCHours();
            hours.set(key, (hours.get(key) ?? 0) + 1);
        }
        const sums = new Map();
        for (const log of logs) {
            const at = Date.parse(`${log.ts.replace(' ', 'T')}Z`);
            const key = new Date(at).getUTCDay() * 24 + new Date(at).getUTCHours();
            if (at >= instant(range.from)) sums.set(key, (sums.get(key) ?? 0) + log.bytes_sent + log.bytes_received);
        }
        const most = Math.max(...[...sums].map(([key, sum]) => sum / hours.get(key)));
        const expected = [1, 2, 3, 4, 5, 6, 0].flatMap((day) => [...Array(24).keys()].map((hour) => (sums.get(day * 24 + hour) ?? 0) / hours.get(day * 24 + hour) / most));
        const heat = await page.locator('[data-panel="heat"] tbody tr').evaluateAll((rows) => rows.flatMap((row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.style.getPropertyValue('--heat')))));
        same('averages', [heat.length, heat.filter((value, i) => Math.abs(value - expected[i]) > 0.001).length], [168, 0]);

        at('by worker');
        same('asks nothing while folded', page.asked.traffic.filter(({ worker }) => worker).length, 0);
        await page.locator('[data-panel="workers"] button', { hasText: 'Show' }).press('Enter');
        ok('a chart each', await until(async () => await page.locator('[data-panel="workers"] .spark').count() === 4) && await settled(page), await text(page, '[data-panel="workers"]'));
        await serious(page, 'axe');
        await pick(page, 'workers', 'worker-04').click();
        ok('each filters', await until(() => query(page).worker === 'worker-04') && await settled(page), page.url());
        await page.locator('[data-panel="workers"] button', { hasText: 'Hide' }).click();
        await page.reload();
        await settled(page);
        same('stays folded', await page.locator('[data-panel="workers"] .spark').count(), 0);
        await page.context().close();
    },

    async live(browser, { admin, logs }) {
        const stamp = (back) => new Date(Date.now() - back).toISOString().slice(0, 19).replace('T', ' ');
        const one = { user_id: 4, order_id: 8, domain: 'live.example', count: 60, bytes_sent: 1000000, bytes_received: 2000000 };
        const fresh = [{ ...one, ts: stamp(40000), worker: 'worker-90' }, { ...one, ts: stamp(7200000), worker: 'worker-91' }];
        await post(fresh);
        logs.push(...fresh.map((log) => ({ error: '', error_count: 0, max_concurrency: 0, ...log })));
        const page = await open(browser, { key: admin, search: '?range=15m&zone=UTC' });
        await settled(page);
        same('by the minute', [(await chartOf(page, 'requests')).buckets, last(page, 'requests').granularity], [15, '1m']);
        ok('the last log', /Last log \d+ s ago/.test(await text(page, '#live')), await text(page, '#live'));
        const lastOf = (worker) => logs.filter((log) => log.worker === worker).map((log) => log.ts).sort().at(-1);
        const silent = await page.locator('.live .pick').allInnerTexts();
        ok('who is silent', silent.includes('worker-91') && !silent.includes('worker-90'), silent.join());
        same('and no other', silent.filter((worker) => lastOf(worker) > stamp(300000)), []);
        ok('a second', /bit\/s on average/.test(await text(page, '.total >> nth=0')) && /\/s on average/.test(await text(page, '.total >> nth=3')), await text(page, '.totals'));
        await serious(page, 'axe');
        await page.click('#ranges button[value="7d"]');
        await settled(page);
        ok('only there', !await shows(page, '#live'), await text(page, '#live').catch(() => ''));
        const context = await browser.newContext({ timezoneId: 'UTC' });
        const clocked = await context.newPage();
        await clocked.clock.install({ time: Date.now() });
        let asked = 0;
        clocked.on('request', (request) => (asked += /requests\?/.test(request.url())));
        await clocked.addInitScript((value) => sessionStorage.setItem('analytics.key', value), admin);
        await clocked.goto(`${PAGE}?range=1h&zone=UTC&compare=off`);
        await settled(clocked);
        const before = asked;
        await clocked.clock.runFor(11000);
        ok('every 10 s', await until(() => asked > before), `${asked - before} more`);
        await context.close();
        await page.context().close();
    },

    async frame(browser, { admin }) {
        const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC&embed=1&panel=requests', viewport: { width: 800, height: 380 } });
        await settled(page);
        same('one panel, nothing around it', await page.evaluate(() => [...document.querySelectorAll('[data-panel], .top, .bar, .take, #foot')]
            .filter((node) => node.getClientRects().length > 0).map((node) => node.dataset.panel ?? node.className)), ['requests']);
        same('asks for no other', Object.keys(page.asked).filter((name) => ['domains', 'breakdown', 'errors', 'summary', 'concurrency', 'traffic'].includes(name)), []);
        await serious(page, 'axe');
        await page.context().close();
        const context = await browser.newContext();
        const linked = await context.newPage();
        await linked.goto(`${PAGE}?range=7d&zone=UTC&embed=1&panel=traffic#key=${admin}`);
        ok('with the key of its link', await until(() => linked.evaluate(() => window.Chart?.getChart(document.querySelector('[data-panel="traffic"] canvas'))?.data.labels.length === 168)), await text(linked, 'body'));
        ok('which leaves the address', !linked.url().includes('fnp_'), linked.url());
        const server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(`<iframe src="${PAGE}"></iframe>`)).listen(0, '127.0.0.1');
        await until(() => server.listening);
        await linked.goto(`http://127.0.0.1:${server.address().port}/`);
        ok('of a page that is not named', await until(() => linked.frames().length === 2 && !linked.frames()[1].url().startsWith(API)), linked.frames().map((one) => one.url()).join());
        server.close();
        await context.close();
    },
};

// The question that the page exists for: which customer failed most yesterday, on which domains, through which worker?
// The answer is saved as a file.
steps.question = async (browser, { admin, logs }) => {
    const page = await open(browser, { key: admin, search: '?zone=UTC', acceptDownloads: true });
    await settled(page);
    await page.click('#ranges button[value="yesterday"]');
    await until(() => query(page).range === 'yesterday');
    const mostErrors = (member, matches = () => true) => {
        const sums = new Map();
        const range = last(page, 'requests');
        for (const log of logs) {
            if (!matches(log) || recount([log], range).domains.size === 0) continue;
            sums.set(String(log[member]), (sums.get(String(log[member])) ?? 0) + log.error_count);
        }
        return [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
    };
    const first = async (panel) => (await rowsOf(page, panel))[0][0];
    await page.selectOption('[data-panel="breakdown"] select', 'user');
    await until(() => query(page).by === 'user');
    await page.locator('[data-panel="breakdown"] .sort', { hasText: /^Errors/ }).click();
    await until(() => query(page).sort === 'errors');
    await settled(page);
    const user = await first('breakdown');
    same('which customer', user, mostErrors('user_id')[0]);
    await pick(page, 'breakdown', new RegExp(`^${user}$`)).click();
    await until(() => query(page).user === user);
    await settled(page);
    const isTheirs = (log) => String(log.user_id) === user;
    same('on which domain', await first('domains'), mostErrors('domain', isTheirs)[0]);
    const worker = await first('breakdown');
    same('through which worker', worker, mostErrors('worker', isTheirs)[0]);
    await pick(page, 'breakdown', worker).click();
    await until(() => query(page).worker === worker);
    await settled(page);
    same('on which domain through this one', await first('domains'), mostErrors('domain', (log) => isTheirs(log) && log.worker === worker)[0]);
    await page.goBack();
    await until(() => query(page).worker === undefined);
    await settled(page);
    const [file] = await Promise.all([page.waitForEvent('download'), page.locator('[data-panel="domains"] button', { hasText: 'CSV' }).click()]);
    const rows = readFileSync(await file.path(), 'utf8').trimEnd().split('\r\n');
    same('as a file', [rows[1].split(',')[0], rows.length - 1], [mostErrors('domain', isTheirs)[0], mostErrors('domain', isTheirs).length]);
    const yesterday = last(page, 'requests').from.slice(0, 10);
    same('that says what it is', file.suggestedFilename(), `domains_user-${user}_${yesterday}_UTC.csv`);
    const [picture] = await Promise.all([page.waitForEvent('download'), page.locator('[data-panel="requests"] button', { hasText: 'PNG' }).click()]);
    const image = readFileSync(await picture.path());
    same('or as a picture', [image.subarray(1, 4).toString(), image.readUInt32BE(16), picture.suggestedFilename()], ['PNG', 1248, `requests_user-${user}_${yesterday}_UTC.png`]);
    await page.context().close();
};

// The breakdown goes on where a filter leaves one value of what it is by, and is back at what was chosen when the filter goes.
steps.onward = async (browser, { admin }) => {
    const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC&by=user' });
    await settled(page);
    const shown = async () => [await page.inputValue('[data-panel="breakdown"] select'), await text(page, '[data-panel="breakdown"] th >> nth=0')];
    const byWorker = ['worker', 'Worker'];
    const filtered = (key, value) => until(() => query(page)[key] === value).then(() => settled(page));
    await pick(page, 'breakdown', /^2$/).focus();
    await page.keyboard.press('Enter');
    await filtered('user', '2');
    same('to the next field', await shown(), byWorker);
    ok('the focus stays in the table', await page.evaluate(() => document.activeElement.closest('[data-panel="breakdown"]') !== null), await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80)));
    same('what has one value is not to be chosen', await page.locator('[data-panel="breakdown"] option:disabled').allInnerTexts(), ['By user']);
    await page.reload();
    await settled(page);
    same('from the URL as well', await shown(), byWorker);
    await pick(page, 'breakdown', 'worker-02').click();
    await filtered('worker', 'worker-02');
    same('and on', (await shown())[0], 'peer');
    await page.goBack();
    await filtered('worker', undefined);
    same('Back goes back', await shown(), byWorker);
    await page.locator('.chip[data-key="user"] .chip-remove').click();
    await filtered('user', undefined);
    same('what was chosen comes back', (await shown())[0], 'user');
    await pick(page, 'breakdown', /^2$/).click({ modifiers: ['Shift'] });
    await filtered('not_user', '2');
    same('and stays where others are left', (await shown())[0], 'user');
    await page.selectOption('[data-panel="breakdown"] select', 'protocol');
    await filtered('by', 'protocol');
    await addFilter(page, 'worker', 'worker-01');
    await filtered('worker', 'worker-01');
    same('and where another field is filtered', (await shown())[0], 'protocol');
    await page.goto(`${PAGE}?range=7d&zone=UTC&order=3`);
    await settled(page);
    same('an order has one user', (await shown())[0], 'worker');
    const { key } = newKey('--role', 'user', '--user-id', '4', '--name', 'customer');
    const customer = await open(browser, { key, search: '?range=7d&zone=UTC&order=3&by=worker' });
    await settled(customer);
    same('only what the key may ask', [await customer.inputValue('[data-panel="breakdown"] select'), await text(customer, '[data-panel="breakdown"] th >> nth=0')], ['protocol', 'Protocol']);
    await serious(page, 'axe');

    at('one order of rows');
    const sorted = () => page.locator('th[aria-sort="descending"]').allInnerTexts();
    await page.goto(`${PAGE}?range=7d&zone=UTC&by=worker&page=2`);
    await settled(page);
    await page.locator('[data-panel="breakdown"] .sort', { hasText: 'Error %' }).press('Enter');
    await until(() => query(page).sort === 'error_rate');
    await settled(page);
    same('for both tables, from the first page', [await sorted(), query(page).page], [['Error %', 'Error %'], undefined]);
    same('the focus stays', await page.evaluate(() => [document.activeElement.textContent, document.activeElement.closest('[data-panel]').dataset.panel]), ['Error %', 'breakdown']);
    await page.locator('[data-panel="domains"] .sort', { hasText: 'Requests' }).click();
    await until(() => query(page).sort === 'count');
    await settled(page);
    same('from the other one, too', await sorted(), ['Requests', 'Requests']);
    await page.goBack();
    await until(() => query(page).sort === 'error_rate');
    await settled(page);
    same('Back goes back', await sorted(), ['Error %', 'Error %']);
    await page.goto(`${PAGE}?range=7d&zone=UTC&bysort=errors`);
    await settled(page);
    same('of an older link', [await sorted(), query(page).sort, query(page).bysort], [['Errors', 'Errors'], 'errors', undefined]);
    await customer.context().close();
    await page.context().close();
};

// A range of whole days ends with its last day, wherever a person reads its end.
steps.ends = async (browser, { admin }) => {
    const page = await open(browser, { key: admin, search: '?range=custom&from=2026-03-01&to=2026-03-31&zone=Europe/Kyiv', acceptDownloads: true });
    const nameOf = async () => {
        await settled(page);
        const [file] = await Promise.all([page.waitForEvent('download'), page.locator('[data-panel="traffic"] button', { hasText: 'CSV' }).click()]);
        return file.suggestedFilename();
    };
    const dates = () => Promise.all(['#from', '#until'].map((field) => page.inputValue(field)));
    same('a month in a file’s name', await nameOf(), 'traffic_2026-03-01_2026-03-31_Europe-Kyiv.csv');
    same('and in the fields', await dates(), ['2026-03-01', '2026-03-31']);
    await page.click('#custom button');
    await settled(page);
    same('which mean the same when sent', [query(page).from, query(page).to], ['2026-03-01', '2026-03-31']);
    await page.goto(`${PAGE}?range=custom&from=2026-03-15&to=2026-03-15&zone=UTC`);
    same('a day in a file’s name', await nameOf(), 'traffic_2026-03-15_UTC.csv');
    same('and in the fields', await dates(), ['2026-03-15', '2026-03-15']);
    await page.goto(`${PAGE}?range=custom&from=2026-03-15T00:00&to=2026-03-15T10:30&zone=UTC`);
    same('a part of a day in a file’s name', await nameOf(), 'traffic_2026-03-15T0000_2026-03-15T1030_UTC.csv');
    same('and in the fields', await dates(), ['2026-03-15 00:00', '2026-03-15 10:30']);
    await page.click('#share-open');
    ok('the last day of a link', (await text(page, '#share-form')).includes('Last day'), await text(page, '#share-form'));
    for (const [end, words] of [['2099-12-31', 'until the end of 31 Dec 2099 (UTC)'], ['2099-12-31T10:30', 'until 31 Dec 2099, 10:30 (UTC)']]) {
        await page.fill('#share-expires', end);
        await page.click('#share-make');
        await until(() => page.locator('#share-links code').count());
        ok(`a link ${words}`, (await text(page, '#share-links')).includes(words), await text(page, '#share-links'));
        await page.keyboard.press('Escape');
        await page.click('#share-open');
    }
    await page.context().close();
};

// A link for somebody else: in another browser, which has no key.
async function shared(browser, { admin, logs }) {
    const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC&worker=worker-02&not_error=HTTP+403' });
    await settled(page);
    const mine = (log) => log.worker === 'worker-02' && log.error !== 'HTTP 403';
    await page.locator('#share-open').press('Enter');
    same('says what it will show', await page.locator('#share-filters li').allInnerTexts(), ['Error is not HTTP 403', 'Worker is worker-02']);
    await serious(page, 'axe');
    await page.fill('#share-expires', '2001-01-01');
    await page.click('#share-make');
    ok('a day that is over', await until(async () => /expired already/.test(await text(page, '#share-fault'))), await text(page, '#share-fault'));
    await page.fill('#share-expires', '2099-12-31');
    await page.click('#share-make');
    await until(() => page.locator('#share-links code').count());
    const [link, frame] = await page.locator('#share-links code').allInnerTexts();
    await serious(page, 'axe, with the link');
    same('all within the dialog', await spills(page, '#share'), []);
    await page.keyboard.press('Escape');
    ok('Escape closes it', !await shows(page, '#share'), 'is open');

    const other = await open(browser, { search: link.slice(link.indexOf('?')).replace(/#.*/, '') + link.slice(link.indexOf('#')) });
    ok('opens without a key', await settled(other), await text(other, 'body'));
    ok('which leaves the address', !other.url().includes('fnp_'), other.url());
    same('says what it is', await text(other, '#who'), 'Shared view · key expires 31 Dec 2099');
    same('and what it is bound to', await chips(other), ['Error is not HTTP 403', 'Worker is worker-02']);
    same('which nobody can take off', await other.locator('.chip button').count(), 0);
    await compareWithLogs(other, logs, mine);
    ok('shares no further', !await shows(other, '#share-open'), 'can');
    await pick(other, 'domains', 'search.example').click();
    ok('narrows', await until(() => query(other).domain === 'search.example') && await settled(other), other.url());
    await compareWithLogs(other, logs, (log) => mine(log) && log.domain === 'search.example');
    await other.goto(`${PAGE}?range=7d&zone=UTC&worker=worker-01`);
    await settled(other);
    await compareWithLogs(other, logs, mine);
    const address = /src="([^"]+)"/.exec(frame)[1].replaceAll('&amp;', '&');
    const framed = await open(browser, { search: address.slice(address.indexOf('?')) });
    ok('the frame shows the same', await settled(framed) && (await chartOf(framed, 'traffic')).sums[0] > 0, await text(framed, 'body'));
    for (const one of [page, other, framed]) await one.context().close();
}
steps.share = shared;

// Before there is any log: no other step has run yet.
export async function firstSteps(browser) {
    at('first steps');
    const page = await open(browser, { key: keyOf('admin'), search: '?range=24h&zone=UTC', viewport: { width: 1280, height: 900 } });
    ok('in place of empty panels', await until(() => shows(page, '#onboarding')) && !await shows(page, '.grid'), await text(page, 'main'));
    await serious(page, 'axe');
    same('all within the page', await spills(page, '#onboarding'), []);
    const command = await text(page, '#onboarding li:nth-child(2) code');
    const [, address, body] = /curl -i '([^']+)'.*-d '(.*)'$/s.exec(command) ?? [];
    const answer = await fetch(address, { method: 'POST', headers: { 'x-api-key': keyOf('worker'), 'content-type': 'application/json' }, body });
    same('the command is good', answer.status, 204);
    ok('becomes the dashboard by itself', await until(async () => await shows(page, '.grid') && !await shows(page, '#onboarding')) && await settled(page), await text(page, 'main'));
    same('with the log', await exactTotal(page, 'Requests'), 1);
    await page.context().close();
    return JSON.parse(body).logs.map((log) => ({ error: '', error_count: 0, protocol: '', peer_id: '', ip_out: '', max_concurrency: 0, bytes_sent: 0, bytes_received: 0, ...log }));
}
