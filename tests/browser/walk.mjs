// walk.mjs: walks through the dashboard in Chromium, in front of ./serve with logs of its own. What is expected comes from
// these logs, added up here. Prints "ok …" or "FAIL …: why" for each thing that was looked at.
// Environment: SOURCE, BUILD, WORK (folder for the data), PORT, MODULES (where playwright-core and axe-core are), CHROMIUM,
// PICTURE (optional: where to write the screenshot for the documentation).

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { DISGUISED, HOSTILE, TWICE, makeClockLogs, makeLogs } from './logs.mjs';

const { SOURCE, BUILD, WORK, PORT, MODULES, CHROMIUM, PICTURE } = process.env;
const require = createRequire(`${MODULES}/`);
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const API = `http://127.0.0.1:${PORT}/analytics`;
const PAGE = `${API}/dashboard/`;
const DATA = `${WORK}/data`;

let section = '';
let failures = 0;
const patience = () => (failures < 3 ? 15000 : 1500); // when much is broken, the rest need not take long
function ok(name, isSo, why = '') {
    if (!isSo) failures++;
    console.log(isSo ? `ok ${section}: ${name}` : `FAIL ${section}: ${name}: ${why}`);
}
const same = (name, found, expected) =>
    ok(name, JSON.stringify(found) === JSON.stringify(expected), `${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);

// until(f): waits for a truthy f(); false when that does not come.
async function until(condition, milliseconds = patience()) {
    for (const end = Date.now() + milliseconds; Date.now() < end; await pause(50)) {
        const value = await condition();
        if (value) return value;
    }
    return false;
}

// ---- the service

let service = null;
async function startService() {
    service = spawn(`${SOURCE}/serve`, ['--no-setup', '--build-dir', BUILD, '--port', PORT, '--data', DATA], { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    service.stderr.on('data', (text) => (words += text));
    const healthy = await until(() => fetch(`${API}/health`).then((answer) => answer.ok, () => false), 60000);
    if (!healthy) throw new Error(`./serve does not answer: ${words}`);
}
async function stopService() {
    if (!service) return;
    const ended = new Promise((resolve) => service.on('exit', resolve));
    service.kill('SIGTERM');
    await ended;
    service = null;
}

const ctl = (...words) => execFileSync(`${BUILD}/analyticsctl`, ['--data', DATA, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
function newKey(...words) {
    const text = ctl('key', 'add', ...words);
    const id = /\b(?:id|key)\s+(\d+)/i.exec(text)?.[1] ?? ctl('key', 'list').trim().split('\n').at(-1).trim().split(/\s+/)[0];
    return { key: /fnp_[0-9A-Za-z]+/.exec(text)[0], id };
}

async function post(logs) {
    const key = readFileSync(`${DATA}/keys/worker.key`, 'utf8').trim();
    for (let i = 0; i < logs.length; i += 5000) {
        const answer = await fetch(`${API}/ingest`, {
            method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify({ logs: logs.slice(i, i + 5000) }),
        });
        if (answer.status !== 204) throw new Error(`ingest: ${answer.status} ${await answer.text()}`);
    }
}

// ---- what the figures must be. Bounds are as a request has them: wall times of UTC, without a zone.

const instant = (bound) => Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(bound) ? bound : `${bound}Z`);
function recount(logs, { from, to }, filter = () => true) {
    const sums = { count: 0, errors: 0, sent: 0, received: 0, peak: 0, domains: new Set() };
    for (const log of logs) {
        const ts = Date.parse(`${log.ts.replace(' ', 'T')}Z`);
        if (ts < instant(from) || ts >= instant(to) || !filter(log)) continue;
        sums.count += log.count;
        sums.errors += log.error_count;
        sums.sent += log.bytes_sent;
        sums.received += log.bytes_received;
        sums.peak = Math.max(sums.peak, log.max_concurrency);
        sums.domains.add(log.domain);
    }
    return sums;
}

// ---- a page, and what was asked through it

const faults = [];
const urls = [];
async function open(browser, { search = '?zone=UTC', key = null, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, timezoneId: 'UTC', locale: 'en-GB', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(patience());
    page.asked = {};
    page.on('request', (request) => {
        const url = new URL(request.url());
        urls.push(request.url());
        const report = url.pathname.split('/').at(-1);
        if (url.searchParams.get('userId') !== '9007199254740991') (page.asked[report] ??= []).push(Object.fromEntries(url.searchParams));
    });
    page.on('pageerror', (error) => faults.push(`${section}: ${error.stack}`));
    page.on('console', (line) => /Content.Security.Policy|Trusted/i.test(line.text()) && faults.push(`${section}: ${line.text()}`));
    if (key) await page.addInitScript((value) => window.sessionStorage.getItem('analytics.test') ?? (sessionStorage.setItem('analytics.key', value), sessionStorage.setItem('analytics.test', '1')), key);
    await page.goto(PAGE + search);
    return page;
}

const settled = (page) => until(() => page.evaluate(() =>
    !document.getElementById('board').hidden && /Updated/.test(document.getElementById('state').textContent) && !document.querySelector('.busy, .stale')));
const last = (page, report) => page.asked[report].at(-1);
const query = (page) => Object.fromEntries(new URL(page.url()).searchParams);
const text = (page, selector) => page.locator(selector).innerText();
const shows = (page, selector) => page.locator(selector).isVisible();
const chartOf = (page, name) => page.evaluate((panel) => {
    const { data } = window.Chart.getChart(document.querySelector(`[data-panel="${panel}"] canvas`));
    return { buckets: data.labels.length, sums: data.datasets.map((one) => one.data.reduce((a, b) => a + b, 0)), most: data.datasets.map((one) => Math.max(...one.data)) };
}, name);
const exactTotal = async (page, name) => Number((await page.locator('.total', { has: page.locator('.name', { hasText: name }) })
    .locator('.value span').getAttribute('title')).replace(/[^0-9]/g, ''));

async function serious(page, name) {
    await page.evaluate(AXE);
    const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'] })).violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`));
    same(name, found, []);
}

async function compareWithLogs(page, logs, filter) {
    const range = last(page, 'traffic');
    const sums = recount(logs, range, filter);
    const [traffic, requests, concurrency] = [await chartOf(page, 'traffic'), await chartOf(page, 'requests'), await chartOf(page, 'concurrency')];
    same('traffic chart', traffic.sums, [sums.received, sums.sent]);
    same('requests chart', requests.sums, [sums.count, sums.errors]);
    same('concurrency chart', concurrency.most, [sums.peak]);
    same('totals', [await exactTotal(page, 'Traffic'), await exactTotal(page, 'Requests'), await exactTotal(page, 'Errors'), await exactTotal(page, 'Peak')],
        [sums.sent + sums.received, sums.count, sums.errors, sums.peak]);
    return { ...traffic, sums };
}

// ---- the walk

const steps = {
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
        ok('a wrong key', await until(async () => /not known/.test(await text(page, '#gate-fault'))), 'is not said');
        await enter(worker);
        ok('a worker’s key', await until(async () => /worker’s key only sends/.test(await text(page, '#gate-fault'))), 'is not explained');
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
            section = `range ${name}`;
            await page.click(`#ranges button[value="${name}"]`);
            ok('loads', await settled(page), await text(page, 'body'));
            same('is in the URL', query(page).range, name);
            same('is marked', await page.locator('#ranges [aria-pressed="true"]').getAttribute('value'), name);
            const chart = await compareWithLogs(page, logs);
            if (buckets) same('zero-filled', chart.buckets, buckets);
            ok('reaches to now', instant(last(page, 'traffic').to) > Date.now(), last(page, 'traffic').to);
        }
        section = 'custom range';
        await page.click('#ranges button[value="custom"]');
        const day = (back) => new Date(Date.now() - back * 86400000).toISOString().slice(0, 10);
        await page.fill('#from', `${day(90)}T00:00`);
        await page.fill('#to', `${day(1)}T00:00`);
        await page.click('#custom button');
        ok('over two months', /two months/.test(await text(page, '#custom-fault')), 'is not refused');
        await page.fill('#from', `${day(1)}T00:00`);
        await page.fill('#to', `${day(4)}T00:00`);
        await page.click('#custom button');
        ok('backwards', /after the begin/.test(await text(page, '#custom-fault')), 'is not refused');
        await page.fill('#from', `${day(4)}T00:00`);
        await page.fill('#to', `${day(1)}T00:00`);
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
        const before = last(page, 'traffic');
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
        const inside = last(page, 'traffic');
        const hours = (instant(inside.to) - instant(inside.from)) / 3600000;
        ok('to about a fifth', hours > 28 && hours < 40 && instant(inside.from) > instant(before.from) && instant(inside.to) < instant(before.to), JSON.stringify(inside));
        await compareWithLogs(page, logs);
        await page.locator('body').press('Escape');
        ok('Escape zooms out', await until(() => query(page).range === '7d') && await settled(page), page.url());
        await page.goBack();
        ok('Back zooms in again', await until(() => query(page).range === 'custom') && await settled(page), page.url());
        await page.click('#zoom-out');
        ok('the button zooms out', await until(() => query(page).range === '7d') && await settled(page), page.url());

        section = 'chart by keyboard';
        await page.locator('[data-panel="requests"] .chart').focus();
        await page.keyboard.press('ArrowRight');
        ok('values are said', await until(async () => /Requests: .*\(.*\), Errors: /.test(await page.locator('#announcer').textContent())), await page.locator('#announcer').textContent());
        for (let i = 0; i < 5; i++) await page.keyboard.press('Shift+ArrowRight');
        await page.keyboard.press('Enter');
        ok('Enter zooms in', await until(() => query(page).range === 'custom') && await settled(page), page.url());
        same('to what was selected', (instant(last(page, 'traffic').to) - instant(last(page, 'traffic').from)) / 3600000, 6);
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
        same('is in its field', await page.inputValue('#domain'), domain);
        const shared = page.url();
        await page.click('#clear');
        ok('and cleared', await until(() => query(page).domain === undefined) && await settled(page), page.url());

        section = 'hostile domain';
        const cell = page.locator('[data-panel="domains"] .pick', { hasText: '<img' });
        same('is text', await cell.first().innerText(), HOSTILE);
        await cell.first().click();
        ok('filters', await until(() => query(page).domain === HOSTILE) && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.domain === HOSTILE);
        same('made no element', await page.evaluate(() => document.querySelectorAll('img[src="x"]').length), 0);
        ok('ran nothing', (await page.title()).includes(HOSTILE), await page.title());

        section = 'disguised domain';
        await page.click('#clear');
        await pick('domains', 'moc.hcraes');
        ok('filters', await until(() => query(page).domain === DISGUISED) && await settled(page), page.url());
        same('shows what it is', [await text(page, '[data-panel="domains"] .pick'), (await page.title()).includes('\u202e')], ['⟨U+202E⟩moc.hcraes', false]);

        section = 'broken address';
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

        section = 'no domain';
        await page.click('#clear');
        await pick('domains', '(none)');
        ok('filters', await until(() => query(page).domain === '') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.domain === '');
        same('stands in the URL', (await text(page, '#span')).endsWith('domain (none)'), true);

        section = 'filter by order';
        await page.click('#clear');
        await page.selectOption('[data-panel="breakdown"] select', 'order');
        await until(() => page.locator('[data-panel="breakdown"] .pick').count());
        await pick('breakdown', /^3$/);
        ok('an order', await until(() => query(page).order === '3') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.order_id === 3);

        section = 'filter by user';
        await page.click('#clear');
        await page.fill('#user', 'x');
        await page.press('#user', 'Enter');
        ok('what is no number', /whole number/.test(await text(page, '#filters-fault')), 'is not refused');
        await page.fill('#user', '2');
        await page.press('#user', 'Enter');
        ok('a user', await until(() => query(page).user === '2') && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.user_id === 2);

        section = 'an error';
        await page.click('#clear');
        await settled(page);
        await pick('errors', 'connection refused');
        ok('filters', await until(() => query(page).error === 'connection refused') && await settled(page), page.url());
        const refused = (log) => log.error === 'connection refused';
        const { sums } = await compareWithLogs(page, logs, refused);
        same('is in its field', await page.inputValue('#error'), 'connection refused');
        same('stands in the heading', (await text(page, '#span')).endsWith('error connection refused'), true);
        same('alone in its list', await page.locator('[data-panel="errors"] tbody th').allInnerTexts(), ['connection refused']);
        ok('at as many websites', (await text(page, '[data-panel="websites"] .pages')).includes(` ${sums.domains.size} websites`), await text(page, '[data-panel="websites"] .pages'));
        await page.locator('[data-panel="errors"] .samples .pick').first().click();
        ok('leads on to a domain', await until(() => query(page).domain) && await settled(page), page.url());
        const at = query(page).domain;
        await compareWithLogs(page, logs, (log) => refused(log) && log.domain === at);
        await page.fill('#error', '');
        await page.press('#error', 'Enter');
        ok('and is taken away', await until(() => query(page).error === undefined) && await settled(page), page.url());
        await compareWithLogs(page, logs, (log) => log.domain === at);

        section = 'empty view';
        await page.fill('#domain', 'nobody.was.here.example');
        await page.press('#domain', 'Enter');
        ok('says what to do', await until(async () => await shows(page, '#empty') && /Remove a filter/.test(await text(page, '#empty'))), await text(page, 'main'));
        await serious(page, 'axe');

        section = 'shared view';
        const other = await open(browser, { key: admin, search: new URL(shared).search, timezoneId: 'Asia/Tokyo' });
        await settled(other);
        same('shows the same', [await other.inputValue('#domain'), query(other), await text(other, '#span')],
            [domain, Object.fromEntries(new URL(shared).searchParams), await text(other, '#span')]);
        await compareWithLogs(other, logs, (log) => log.domain === domain);
        await other.context().close();
        await page.context().close();
    },

    async tables(browser, { admin, logs }) {
        const page = await open(browser, { key: admin, search: '?range=30d&zone=UTC', acceptDownloads: true });
        await settled(page);
        section = 'websites';
        const names = () => page.locator('[data-panel="websites"] tbody th').allInnerTexts();
        const total = recount(logs, last(page, 'websites')).domains.size;
        const first = await names();
        ok('how many', (await text(page, '[data-panel="websites"] .pages')).includes(`${total} websites`), await text(page, '[data-panel="websites"] .pages'));
        await page.click('[aria-label="Next page"]');
        ok('the next page', await until(() => query(page).page === '2') && await settled(page), page.url());
        const second = await names();
        ok('has others', second.length === 25 && second.every((name) => !first.includes(name)), second.join(' '));
        await page.click('[aria-label="Last page"]');
        ok('the last page', await until(() => query(page).page === String(Math.ceil(total / 25))) && await settled(page), page.url());
        same('has the rest', (await names()).length, total % 25);
        await page.locator('[data-panel="websites"] .sort', { hasText: 'Domain' }).click();
        const sorted = await names();
        same('sorted by name', sorted, [...sorted].sort());
        same('and says so', await page.locator('[data-panel="websites"] th[aria-sort]').getAttribute('aria-sort'), 'ascending');

        section = 'top domains';
        await page.locator('[data-panel="domains"] .segments button', { hasText: 'Requests' }).click();
        ok('by requests', await until(() => query(page).sort === 'count') && await settled(page), page.url());
        const counts = new Map();
        for (const log of logs) if (recount([log], last(page, 'domains')).domains.size) counts.set(log.domain, (counts.get(log.domain) ?? 0) + log.count);
        same('the first is right', await page.locator('[data-panel="domains"] tbody th').first().innerText(), [...counts].sort((a, b) => b[1] - a[1])[0][0]);

        section = 'breakdown';
        for (const [by, member] of [['worker', 'worker'], ['protocol', 'protocol'], ['peer', 'peer_id'], ['user', 'user_id']]) {
            await page.selectOption('[data-panel="breakdown"] select', by);
            await until(() => (query(page).by ?? 'order') === by);
            await settled(page);
            const values = new Set(logs.filter((log) => recount([log], last(page, 'breakdown')).count).map((log) => String(log[member])));
            const rows = await page.locator('[data-panel="breakdown"] tbody tr').count();
            same(`by ${by}`, rows, Math.min(values.size, 30));
        }

        for (const panel of ['traffic', 'requests', 'concurrency', 'domains', 'breakdown', 'errors', 'websites']) {
            section = `CSV of ${panel}`;
            const [download] = await Promise.all([page.waitForEvent('download'), page.locator(`[data-panel="${panel}"] .panel-head button`, { hasText: 'CSV' }).click()]);
            const lines = readFileSync(await download.path(), 'utf8').trimEnd().split('\r\n');
            const answer = await fetch(`${API}/${panel}?${new URLSearchParams(last(page, panel))}`, { headers: { 'x-api-key': admin } });
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
        section = 'dark';
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
        section = 'light';
        await page.locator('[data-panel="traffic"] .values summary').click();
        await serious(page, 'axe');
        section = 'narrow';
        for (const width of [768, 360]) {
            await page.setViewportSize({ width, height: 760 });
            await pause(100);
            ok(`${width} px`, await until(() => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)), 'scrolls sideways');
            const outside = await page.evaluate(() => [...document.querySelectorAll('button, input, select, h2, .value')]
                .filter((node) => !node.closest('.scroll, .unseen, .skip') && node.getClientRects().length > 0)
                .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5).map((node) => node.outerHTML.slice(0, 80)));
            same(`${width} px, all within`, outside, []);
        }
        await serious(page, 'axe');
        section = 'keyboard';
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
        await page.selectOption('#zone', 'Asia/Tehran'); // +03:30, without summer time
        ok('another', await until(() => query(page).zone === 'Asia/Tehran') && await settled(page), page.url());
        const today = new Date(Date.now() + 210 * 60000).toISOString().slice(0, 10);
        const range = last(page, 'traffic');
        same('midnight there', [range.from, range.timezone], [`${today}T00:00`, 'Asia/Tehran']);
        const sums = recount(logs, { from: `${range.from}+03:30`, to: `${range.to}+03:30` });
        same('figures', [(await chartOf(page, 'requests')).sums, await exactTotal(page, 'Requests')], [[sums.count, sums.errors], sums.count]);

        const kyiv = await open(browser, { key: admin, search: '', timezoneId: 'Europe/Kiev' });
        ok('by today’s name', await settled(kyiv) && query(kyiv).zone === 'Europe/Kyiv' && await kyiv.inputValue('#zone') === 'Europe/Kyiv', kyiv.url());
        await kyiv.context().close();

        section = 'day of 25 hours';
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
        ok('no filter by user', await until(async () => !await shows(page, '#user-box')), 'is shown');
        await page.context().close();
    },

    async trouble(browser, { admin }) {
        section = 'expired key';
        const { key, id } = newKey('--role', 'admin', '--name', 'to be revoked');
        const page = await open(browser, { key, search: '?range=7d&zone=UTC&domain=search.example' });
        await settled(page);
        ctl('key', 'revoke', id);
        await page.click('#ranges button[value="30d"]');
        ok('asked for another', await until(async () => await shows(page, '#gate') && /expired/.test(await text(page, '#gate-fault'))), await text(page, 'body'));
        ok('nothing is left behind', !(await page.content()).includes('30 Oct') && !await shows(page, '#board'), 'figures are still there');
        await page.fill('#key', admin);
        await page.click('#gate-form button');
        ok('goes on', await settled(page), await text(page, 'body'));
        same('with the same view', [query(page).range, query(page).domain], ['30d', 'search.example']);

        section = 'too many requests';
        await page.click('#ranges button[value="7d"]');
        await settled(page);
        await page.route('**/analytics/domains?*', (route) => route.fulfill({ status: 429, headers: { 'Retry-After': '3' }, json: { message: 'analytics.too_many_requests' } }));
        await page.click('#ranges button[value="7d"]');
        ok('says when it tries again', await until(async () => /Too many requests.*Trying again in [123] s/s.test(await text(page, '#banner'))), await text(page, 'main'));
        same('keeps the last figures, marked', await page.locator('[data-panel="domains"].stale tbody tr').count(), 1);
        await page.unroute('**/analytics/domains?*');
        ok('comes back by itself', await until(async () => !await shows(page, '#banner')) && await settled(page), await text(page, '#banner'));

        section = 'late answers';
        let [isHeld, letGo] = [false, () => {}];
        await page.route(/traffic\?.*from=\d{4}-\d\d-\d\dT00%3A00/, async (route) => { // of 30 days
            isHeld = true;
            await new Promise((resolve) => (letGo = resolve));
            await route.continue().catch(() => {});
        });
        await page.click('#ranges button[value="30d"]');
        await until(() => isHeld);
        await page.click('#ranges button[value="24h"]');
        ok('are not waited for', await settled(page), await text(page, '#state'));
        letGo();
        await pause(500);
        same('are not shown', [query(page).range, (await chartOf(page, 'traffic')).buckets], ['24h', 96]);
        await page.unrouteAll({ behavior: 'ignoreErrors' });

        section = 'service down';
        const figures = await text(page, '.totals');
        await stopService();
        await page.click('#ranges button[value="24h"]');
        ok('is said', await until(async () => await shows(page, '#banner') && /can’t be reached.*Trying again/s.test(await text(page, '#banner'))), await text(page, 'main'));
        same('the last figures stay', await text(page, '.totals'), figures);
        ok('with their time', /Figures of \d\d:\d\d:\d\d/.test(await text(page, '#state')), await text(page, '#state'));
        await serious(page, 'axe');
        await page.click('#ranges button[value="7d"]');
        ok('another view has none', await until(async () => /can’t be reached/.test(await text(page, '.totals')) && !/MB|GB/.test(await text(page, '[data-panel="domains"]'))), await text(page, 'main'));
        await startService();
        section = 'service back';
        ok('it comes back by itself', await until(async () => !await shows(page, '#banner')) && await settled(page), await text(page, '#banner'));
        same('with the view that was asked for', [query(page).range, (await chartOf(page, 'traffic')).buckets], ['7d', 168]);

        section = 'slow report';
        await page.route('**/analytics/errors?*', (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '1' }, json: { message: 'analytics.query_timeout' } }));
        await page.click('#ranges button[value="30d"]');
        ok('says what to do', await until(async () => /shorter range/.test(await text(page, '[data-panel="errors"]'))), await text(page, '[data-panel="errors"]'));
        await page.context().close();

        section = 'without Chart.js';
        const context = await browser.newContext({ timezoneId: 'UTC' });
        await context.route('**/chart.min.js', (route) => route.fulfill({ status: 404 }));
        const bare = await context.newPage();
        await bare.addInitScript((value) => sessionStorage.setItem('analytics.key', value), admin);
        await bare.goto(PAGE);
        await settled(bare);
        ok('says what is missing', /libjs-chart.js/.test(await text(bare, '[data-panel="traffic"]')), await text(bare, '[data-panel="traffic"]'));
        same('and has the values', await bare.locator('[data-panel="traffic"] .values tbody tr').count(), 96);
        await context.close();
    },

    async refresh(browser, { admin }) {
        const context = await browser.newContext({ timezoneId: 'UTC' });
        const page = await context.newPage();
        await page.clock.install({ time: Date.now() });
        let asked = 0;
        page.on('request', (request) => (asked += /traffic\?/.test(request.url())));
        await page.addInitScript((value) => sessionStorage.setItem('analytics.key', value), admin);
        await page.goto(`${PAGE}?range=24h&zone=UTC`);
        await settled(page);
        const once = asked;
        await page.clock.runFor(31000);
        ok('asks again after 30 s', await until(() => asked > once), `${asked - once} times`);
        await page.click('#refresh');
        await settled(page);
        const switchedOff = asked;
        await page.clock.runFor(90000);
        same('not when switched off', asked, switchedOff);
        await page.click('#refresh');
        await page.goto(`${PAGE}?range=custom&from=2026-01-01&to=2026-01-02&zone=UTC`);
        await settled(page);
        const past = asked;
        await page.clock.runFor(90000);
        same('not for a range in the past', asked, past);
        await context.close();
    },
};

async function picture(browser, { admin }) {
    const page = await open(browser, { key: admin, search: '?range=7d&zone=UTC', viewport: { width: 1280, height: 1330 } });
    await settled(page);
    await page.screenshot({ path: PICTURE });
    await page.context().close();
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
try {
    await startService();
    const logs = makeLogs(Date.now() - 1000, 45, 10);
    await post(logs);
    await post(makeClockLogs());
    const given = { logs, ...Object.fromEntries(['admin', 'worker'].map((name) => [name, readFileSync(`${DATA}/keys/${name}.key`, 'utf8').trim()])) };
    for (const [name, step] of Object.entries(steps)) {
        section = name;
        await step(browser, given).catch((error) => ok('goes through', false, error.stack));
        for (const context of browser.contexts()) await context.close();
    }
    section = 'all along';
    same('no script failed, no policy was violated', faults, []);
    same('no key in a URL', urls.filter((url) => url.includes('fnp_')), []);
    if (PICTURE && failures === 0) await picture(browser, given);
} finally {
    await browser.close();
    await stopService();
}
process.exitCode = failures > 0 ? 1 : 0;
