// steps_trouble.mjs: what the dashboard does when something is wrong, and when nothing is done: outages, slow reports, refreshing.

import { DISGUISED, HOSTILE, TWICE } from './logs.mjs';
import { chartOf, compareWithLogs, exactTotal, last, open, query, serious, settled, shows, text } from './page.mjs';
import { API, PAGE, ctl, instant, newKey, recount, startService, stopService } from './stage.mjs';
import { at, ok, pause, same, until } from './verdicts.mjs';

export const steps = {
    async trouble(browser, { admin }) {
        at('expired key');
        const { key, id } = newKey('--role', 'admin', '--name', 'to be revoked');
        const page = await open(browser, { key, search: '?range=7d&zone=UTC&domain=search.example' });
        await settled(page);
        ctl('key', 'revoke', id);
        await page.click('#ranges button[value="30d"]');
        ok('asked for another', await until(async () => await shows(page, '#gate') && /doesn’t work/.test(await text(page, '#gate-fault'))), await text(page, 'body'));
        ok('nothing is left behind', !(await page.content()).includes('30 Oct') && !await shows(page, '#board'), 'figures are still there');
        await page.fill('#key', admin);
        await page.click('#gate-form button');
        ok('goes on', await settled(page), await text(page, 'body'));
        same('with the same view', [query(page).range, query(page).domain], ['30d', 'search.example']);

        at('too many requests');
        await page.click('#ranges button[value="7d"]');
        await settled(page);
        await page.route(/breakdown\?.*by=domain/, (route) => route.fulfill({ status: 429, headers: { 'Retry-After': '3' }, json: { message: 'analytics.too_many_requests' } }));
        await page.click('#ranges button[value="7d"]');
        ok('says when it tries again', await until(async () => /Too many requests.*Retrying in [123] s/s.test(await text(page, '#banner'))), await text(page, 'main'));
        same('keeps the last figures, marked', await page.locator('[data-panel="domains"].stale tbody tr').count(), 1);
        await page.unroute(/breakdown\?.*by=domain/);
        ok('comes back by itself', await until(async () => !await shows(page, '#banner')) && await settled(page), await text(page, '#banner'));

        at('late answers');
        let [isHeld, letGo] = [false, () => {}];
        await page.route(/traffic\?/, async (route) => { // of 30 days, and no other
            const { from, to } = Object.fromEntries(new URL(route.request().url()).searchParams);
            if (instant(to) - instant(from) < 20 * 86400000) return route.continue();
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

        at('service down');
        const figures = await text(page, '.totals');
        await stopService();
        await page.click('#ranges button[value="24h"]');
        ok('is said', await until(async () => await shows(page, '#banner') && /can’t be reached.*Retrying/s.test(await text(page, '#banner'))), await text(page, 'main'));
        same('the last figures stay', await text(page, '.totals'), figures);
        ok('with their time', /Data from \d\d:\d\d:\d\d/.test(await text(page, '#state')), await text(page, '#state'));
        await serious(page, 'axe');
        await page.click('#ranges button[value="7d"]');
        ok('another view has none', await until(async () => /can’t be reached/.test(await text(page, '.totals')) && !/MB|GB/.test(await text(page, '[data-panel="domains"]'))), await text(page, 'main'));
        await startService();
        at('service back');
        ok('it comes back by itself', await until(async () => !await shows(page, '#banner')) && await settled(page), await text(page, '#banner'));
        same('with the view that was asked for', [query(page).range, (await chartOf(page, 'traffic')).buckets], ['7d', 168]);

        at('slow report');
        await page.route('**/analytics/errors?*', (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '1' }, json: { message: 'analytics.query_timeout' } }));
        await page.click('#ranges button[value="30d"]');
        ok('says what to do', await until(async () => /shorter range/.test(await text(page, '[data-panel="errors"]'))), await text(page, '[data-panel="errors"]'));
        await page.context().close();

        at('without Chart.js');
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
