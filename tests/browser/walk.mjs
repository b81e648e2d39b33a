// walk.mjs: walks through the dashboard in Chromium, with ./serve and logs of its own behind it. The expected figures
// come from these logs, added up in stage.mjs. Prints "ok …" or "FAIL …: why" for each check.
// Environment: that of stage.mjs and page.mjs; CHROMIUM; PICTURE (optional: where to write the screenshots for the
// documentation, NAME.png and NAME-dark.png); STEPS (optional: the names of the only steps to walk).

import { makeClockLogs, makeLogs } from './logs.mjs';
import { chromium, faults, open, settled, urls } from './page.mjs';
import { keyOf, post, startService, stopService } from './stage.mjs';
import { steps as faultSteps } from './steps_faults.mjs';
import { firstSteps, steps as showSteps } from './steps_show.mjs';
import { steps as troubleSteps } from './steps_trouble.mjs';
import { steps as viewSteps } from './steps_views.mjs';
import { at, failed, ok, same } from './verdicts.mjs';

const { CHROMIUM, PICTURE, STEPS } = process.env;
const all = { ...viewSteps, ...faultSteps, ...showSteps, ...troubleSteps };
const steps = STEPS ? Object.fromEntries(STEPS.split(' ').map((name) => [name, all[name]])) : all;

async function picture(browser, { admin }, path, options) {
    const page = await open(browser, { key: admin, ...options });
    await settled(page);
    await page.screenshot({ path });
    await page.context().close();
}

// Scripts run as in any browser, but no threads compile them for later and collect garbage beside them: most pages live for
// seconds, and the walk takes a twelfth less of the processor.
const args = ['--js-flags=--single-threaded', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])];
const browser = await chromium.launch({ executablePath: CHROMIUM, timeout: 180000, args });
try {
    await startService();
    const first = await firstSteps(browser).catch((error) => ok('goes through', false, error.stack) ?? []);
    const logs = [...first, ...makeLogs(Date.now() - 1000, 45, 10)];
    await post(logs.slice(first.length));
    await post(makeClockLogs());
    const given = { logs, admin: keyOf('admin'), worker: keyOf('worker') };
    for (const [name, step] of Object.entries(steps)) {
        at(name);
        await step(browser, given).catch((error) => ok('goes through', false, error.stack));
        for (const context of browser.contexts()) await context.close();
    }
    at('all along');
    same('no script failed, no policy was violated', faults, []);
    same('no key in a URL', urls.filter((url) => url.includes('fnp_') && !url.includes('#key=')), []); // what is behind '#' is not sent
    if (PICTURE && failed() === 0) {
        await picture(browser, given, PICTURE, { search: '?range=7d&zone=UTC', viewport: { width: 1280, height: 1330 } });
        await picture(browser, given, PICTURE.replace('.png', '-dark.png'),
            { search: '?range=yesterday&zone=UTC&by=worker&sort=errors&not_domain=', viewport: { width: 760, height: 1500 }, colorScheme: 'dark' });
    }
} finally {
    await browser.close();
    await stopService();
}
process.exitCode = failed() > 0 ? 1 : 0;
