// verdicts.mjs: prints "ok …" or "FAIL …: why" for each check, under the name of the walk's current section. Waits for
// conditions. Knows nothing of pages.

import { setTimeout as pause } from 'node:timers/promises';

export { pause };
let section = '';
let failures = 0;
export const at = (name) => (section = name);
export const where = () => section;
export const failed = () => failures;
export const patience = () => (failures < 3 ? 60000 : 1500); // when much is broken, the rest need not take long
export function ok(name, isSo, why = '') {
    if (!isSo) failures++;
    console.log(isSo ? `ok ${section}: ${name}` : `FAIL ${section}: ${name}: ${why}`);
}
export const same = (name, found, expected) =>
    ok(name, JSON.stringify(found) === JSON.stringify(expected), `${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);

// until(f): waits for a truthy f() and returns it; false when the time is over.
export async function until(condition, milliseconds = patience()) {
    for (const end = Date.now() + milliseconds; Date.now() < end; await pause(50)) {
        const value = await condition();
        if (value) return value;
    }
    return false;
}
