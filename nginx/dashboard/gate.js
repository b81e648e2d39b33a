// gate.js: the question for the key, and who its answer makes us. Knows the key's form and its place in the browser. Knows no
// view.

import { isKey, useKey, whoAmI } from './api.js';
import { find, keep, kept } from './dom.js';

const WORKER = 'This is a worker’s key: it can only send logs. Use the key of a user or an admin.';

export function showGate(message) {
    find('gate').hidden = false;
    find('gate-fault').hidden = message === '';
    find('gate-fault').textContent = message;
    find('key').value = '';
    find('key').focus();
}

// Who the key in use is, or a Failure; a key that reads nothing is one, too.
async function enter(onEntered) {
    const who = await whoAmI();
    if (who.role === 'worker') throw Object.assign(new Error(WORKER), { kind: 'forbidden' });
    find('gate').hidden = true;
    onEntered(who);
}

async function submit(event, onEntered) {
    event.preventDefault();
    const key = find('key').value.trim();
    if (!isKey(key)) return showGate('That can’t be a key: keys are letters and digits, like fnp_….');
    const button = find('gate-form').querySelector('button');
    button.disabled = true;
    useKey(key);
    try {
        await enter((who) => {
            keep('sessionStorage', 'key', key);
            onEntered(who);
        });
    } catch (failure) {
        if (!failure.kind) throw failure;
        showGate(failure.message);
    } finally {
        button.disabled = false;
    }
}

// A link that was shared has its key behind the '#', which no server sees; it is taken out of the address at once.
function keyOfLink() {
    const key = new URLSearchParams(location.hash.slice(1)).get('key');
    if (key === null) return null;
    history.replaceState(history.state, '', location.pathname + location.search);
    keep('sessionStorage', 'key', isKey(key) ? key : null);
    return key;
}

// onEntered(who) once there is a key that works; onTrouble(failure) when a key that was kept can't be asked about now.
export async function openGate(onEntered, onTrouble) {
    find('gate-form').addEventListener('submit', (event) => submit(event, onEntered));
    const key = keyOfLink() ?? kept('sessionStorage', 'key');
    const farewell = kept('sessionStorage', 'farewell') ?? '';
    keep('sessionStorage', 'farewell', null);
    if (key === null || !isKey(key)) return showGate(farewell);
    useKey(key);
    await resume(onEntered, onTrouble);
}

export async function resume(onEntered, onTrouble) {
    try {
        await enter(onEntered);
    } catch (failure) {
        if (!failure.kind) throw failure;
        if (failure.passes) return onTrouble(failure);
        forget();
        showGate(failure.message);
    }
}

export function forget() {
    useKey(null);
    keep('sessionStorage', 'key', null);
}

// Back to the question for the key. What was shown is not left behind it.
export function leave(message) {
    forget();
    keep('sessionStorage', 'farewell', message);
    location.reload();
}
