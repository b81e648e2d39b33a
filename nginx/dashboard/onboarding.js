// onboarding.js: the first minutes of a service that has no data at all: three steps in place of empty panels. Becomes the
// dashboard by itself when the first log is there. Knows how a log is sent. Knows no panels.

import { get } from './api.js';
import { el, find } from './dom.js';
import { boundParameters } from './ranges.js';
import { DAY, addMonths } from './zone.js';

const ASK_MS = 3000;
const YEARS_BACK = 5;

const isAnything = async (from, to) => (await get('summary', boundParameters({ zone: 'UTC' }, from, to))).data.total_count !== '0';

// Has anything been recorded in the last years? From now backwards, two months a question.
async function isEmpty(now) {
    let to = Math.floor(now / DAY) * DAY + 2 * DAY;
    for (let i = 0; i < YEARS_BACK * 6; i++) {
        const from = addMonths(to, -2) + 3 * DAY; // no month is as much longer than another
        if (await isAnything(from, to)) return false;
        to = from;
    }
    return true;
}

function command() {
    const log = { ts: new Date().toISOString().slice(0, 19).replace('T', ' '), user_id: 1, order_id: 1, worker: 'worker-01', domain: 'example.com', count: 1, bytes_sent: 1000, bytes_received: 50000 };
    return [`curl -i '${new URL('../ingest', location.href.split(/[?#]/)[0])}' \\`, "  -H 'x-api-key: YOUR_WORKER_KEY' -H 'Content-Type: application/json' \\",
        `  -d '${JSON.stringify({ logs: [log] })}'`].join('\n');
}

// A text to take along, with a button that does so where the browser lets us.
export function copyable(label, text) {
    const code = el('pre', { class: 'code', tabindex: '0', role: 'region', 'aria-label': label }, el('code', { text }));
    const button = el('button', {
        type: 'button', text: 'Copy', 'aria-label': `Copy: ${label}`, onclick: async () => {
            try {
                await navigator.clipboard.writeText(text);
                button.textContent = 'Copied';
            } catch {
                getSelection().selectAllChildren(code); // no clipboard without TLS: Ctrl+C is left to the person
                button.textContent = 'Selected';
            }
        },
    });
    return el('div', { class: 'copyable' }, code, button);
}

const step = (title, ...rest) => el('li', {}, el('h3', { text: title }), ...rest);

function show() {
    find('onboarding').replaceChildren(el('h2', { text: 'No logs yet: three steps' }), el('ol', {},
        step('Make a key for a worker', el('p', { class: 'hint', text: 'On the server. It is shown once.' }),
            copyable('the command that makes a key', 'analyticsctl key add --role worker --name worker-01')),
        step('Send a log', el('p', { class: 'hint', text: 'With that key in place of YOUR_WORKER_KEY. The answer 204 means that the log is stored.' }), copyable('the command that sends a log', command())),
        step('Waiting for the first log…', el('p', { class: 'hint', role: 'status', text: 'This page becomes the dashboard as soon as it is there.' }))));
}

const turn = (isOn) => {
    find('onboarding').hidden = !isOn;
    document.body.classList.toggle('onboarding', isOn);
};

// Shows the steps if there is no data at all, and calls onFirst() when there is some.
export async function watchForFirst(onFirst) {
    if (!find('onboarding').hidden || !(await isEmpty(Date.now()))) return;
    show();
    turn(true);
    const timer = setInterval(async () => {
        const now = Date.now();
        if (document.hidden || !(await isAnything(Math.floor(now / DAY) * DAY - 7 * DAY, Math.floor(now / DAY) * DAY + 2 * DAY).catch(() => false))) return;
        clearInterval(timer);
        turn(false);
        onFirst();
    }, ASK_MS);
}
