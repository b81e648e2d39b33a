// dashboard.js: the page itself: asks for the key, follows the URL, loads what is to be shown, tries again when the service
// is away, refreshes. Knows when; panels.js knows what.

import { Failure, get, getCsv, isKey, useKey } from './api.js';
import { announce, el, find, keep, keepingPlace, kept, save } from './dom.js';
import * as format from './format.js';
import { makePanels } from './panels.js';
import { RANGES, bounds, idFault, parametersOf, parseView, rangeFault, viewSearch } from './view.js';
import { parseWall, spanName, toInstant, toWall, wallText, zones } from './zone.js';

const REFRESH_MS = 30000; // or ten times as long as the figures took, where that is more
const LONGEST_WAIT_S = 30;
const NOBODYS_ID = String(Number.MAX_SAFE_INTEGER);

let view = parseView(location.search);
let range = bounds(view, Date.now());
let panels = [];
let round = 0; // of loading; an older one that ends late says nothing
let loading = false;
let loadedAt = 0; // when the figures that are shown were asked for
let triedAt = 0;
let tookMs = 0;
let retryAt = 0; // 0: nothing is to be tried again
let waitSeconds = 1;
let trouble = null;
let errorShown = ''; // in its field, which has no line breaks

// ---- where we are

function go(changes, { outer = history.state?.outer ?? [] } = {}) {
    const next = { ...view, ...changes };
    const moved = ['range', 'from', 'to', 'zone', 'domain', 'error', 'order', 'user'].some((name) => next[name] !== view[name]);
    if (moved && changes.page === undefined) next.page = 1;
    const search = viewSearch(next);
    if (search !== viewSearch(view)) history.pushState({ outer }, '', search);
    view = next;
    if (moved && find('main').getBoundingClientRect().top < 0) window.scrollTo({ top: 0 });
    load({ asked: true });
}

function zoom(from, to) {
    const { range: name, from: begin, to: end } = view;
    go({ range: 'custom', from, to }, { outer: [...(history.state?.outer ?? []), { range: name, from: begin, to: end }] });
}

function zoomOut() {
    const outer = history.state?.outer ?? [];
    if (outer.length > 0) go(outer.at(-1), { outer: outer.slice(0, -1) });
}

// ---- loading

async function loadPanel(panel, signal) {
    const asks = panel.asks(view, range);
    const shownFor = view;
    const shownRange = range;
    const search = viewSearch(view);
    panel.node.classList.add('busy');
    panel.node.classList.toggle('old', panel.hasFigures === true && panel.search !== search);
    panel.node.setAttribute('aria-busy', 'true');
    try {
        const [first, ...others] = asks.map(([path, parameters]) => get(path, parameters, signal));
        // What is only for comparing may be missing.
        const rest = others.map((other) => other.catch((failure) => {
            if (failure instanceof Failure && !failure.passes && failure.kind !== 'unauthorized') return null;
            throw failure;
        }));
        const answers = await Promise.all([first, ...rest]);
        if (signal.aborted) return;
        keepingPlace(panel.node, panel.search === search, () => panel.show(answers, shownFor, shownRange));
        panel.search = search;
        panel.failure = null;
        panel.hasFigures = true;
        if (panel.name === 'totals') onTotals(panel, shownFor);
    } catch (error) {
        if (signal.aborted || error.name === 'AbortError') return;
        const failure = error instanceof Failure ? error : new Failure('strange', 'The answer is not what this page understands.');
        if (failure !== error) console.error(error);
        panel.failure = failure;
        if (failure.kind === 'unauthorized' || failure.kind === 'forbidden') return leave(failure.message);
        if (failure.passes && panel.hasFigures && panel.search === search) return; // the last figures of this view stay
        panel.hasFigures = false;
        panel.refuse(failure);
    } finally {
        if (!signal.aborted) {
            panel.node.classList.remove('busy', 'old');
            panel.node.setAttribute('aria-busy', 'false');
            panel.node.classList.toggle('stale', panel.failure?.passes === true && panel.hasFigures === true);
        }
    }
}

// force: ask again what is shown already; onlyFailed: only what failed; asked: by the person, who hears of it.
async function load({ force = false, onlyFailed = false, asked = false } = {}) {
    const mine = ++round;
    range = bounds(view, Date.now());
    showControls();
    loading = true;
    triedAt = Date.now();
    retryAt = 0;
    const due = panels.filter((panel) => {
        const asks = JSON.stringify(panel.asks(view, range));
        const isNew = asks !== panel.asked;
        panel.asked = asks;
        return isNew || (onlyFailed ? panel.failure : force || panel.failure);
    });
    await Promise.all(due.map((panel) => {
        panel.stop?.abort();
        panel.stop = new AbortController();
        panel.ended = loadPanel(panel, panel.stop.signal);
        return panel.ended;
    }));
    await Promise.all(panels.map((panel) => panel.ended));
    if (mine !== round) return;
    loading = false;
    settle(asked);
}

function settle(asked) {
    const failed = panels.map((panel) => panel.failure).filter((failure) => failure?.passes);
    if (failed.length > 0) {
        trouble = failed.find(({ kind }) => kind === 'down') ?? failed[0];
        retryAt = Date.now() + Math.max(trouble.retryAfter, waitSeconds) * 1000;
        waitSeconds = Math.min(waitSeconds * 2, LONGEST_WAIT_S);
    } else {
        if (trouble) announce('The service is back. The figures are up to date.');
        trouble = null;
        waitSeconds = 1;
        loadedAt = triedAt;
        tookMs = Date.now() - triedAt;
        performance.mark('all-figures');
        if (asked) announce(`${find('span').textContent}: loaded.`);
    }
    showTrouble();
    showState();
}

function onTotals(panel) {
    performance.mark('first-figures');
    const box = find('empty');
    box.hidden = !panel.isEmpty;
    if (!panel.isEmpty) return;
    const filtered = isFiltered();
    box.replaceChildren(el('h2', { text: 'Nothing was recorded in this view' }),
        el('p', { class: 'hint', text: filtered ? 'No log matches the filters in this range. Remove a filter, or choose a longer range.' :
            'Choose a longer range, or wait for the workers: they post their batches to /analytics/ingest.' }),
        el('div', { class: 'actions' },
            filtered ? el('button', { type: 'button', text: 'Clear filters', onclick: clearFilters }) : null,
            view.range === '30d' ? null : el('button', { type: 'button', text: 'Show 30 days', onclick: () => go({ range: '30d' }, { outer: [] }) })));
}

async function download(panel) {
    const [path, parameters] = panel.csvParameters(view, range);
    panel.csv.disabled = true;
    try {
        const text = await getCsv(path, parameters);
        const days = [parameters.from, parameters.to].map((bound) => bound.replaceAll(':', '')).join('_');
        save(`${path}_${days}.csv`, 'text/csv', text);
        announce(`${panel.title}: downloaded.`);
    } catch (failure) {
        if (!(failure instanceof Failure)) throw failure;
        if (failure.kind === 'unauthorized' || failure.kind === 'forbidden') leave(failure.message);
        else showBanner(`${panel.title}: no CSV. ${failure.message}`, false);
    } finally {
        panel.csv.disabled = false;
    }
}

// ---- what is said

const localClock = (instant) => new Date(toWall(instant, view.zone)).toISOString().slice(11, 19);

const isStale = () => panels.some(({ failure, hasFigures }) => failure && hasFigures);

function showState() {
    find('state').textContent = !trouble && loadedAt > 0 ? `Updated ${localClock(loadedAt)}` : isStale() ? `Figures of ${localClock(loadedAt)}` : '';
}

function showBanner(text, isBad, ...more) {
    const banner = find('banner');
    banner.hidden = text === '';
    banner.classList.toggle('bad', isBad);
    banner.replaceChildren(el('span', { text }), ...more);
}

function showTrouble() {
    if (!trouble) return showBanner('', false);
    const since = isStale() ? ` The figures are those of ${localClock(loadedAt)}.` : '';
    showBanner(trouble.message + since, trouble.kind === 'down', el('span', { id: 'countdown', 'aria-hidden': 'true' }),
        el('button', { type: 'button', text: 'Try now', onclick: () => load({ onlyFailed: true }) }));
    tick();
}

function tick() {
    const now = Date.now();
    const countdown = find('countdown');
    if (countdown) {
        countdown.textContent = loading ? 'Trying again …' : `Trying again in ${Math.max(0, Math.ceil((retryAt - now) / 1000))} s`;
    }
    if (loading || panels.length === 0 || find('board').hidden || document.hidden) return;
    if (retryAt > 0 && now >= retryAt) load({ onlyFailed: true });
    else if (retryAt === 0 && find('refresh').checked && range.isLive && now - triedAt >= Math.max(REFRESH_MS, 10 * tookMs)) load({ force: true });
}

// ---- the controls

function showControls() {
    for (const button of find('ranges').children) button.setAttribute('aria-pressed', String(button.value === view.range));
    find('zone').value = view.zone;
    if (find('zone').value !== view.zone) {
        find('zone').append(el('option', { value: view.zone, text: view.zone }));
        find('zone').value = view.zone;
    }
    const [from, to] = [toWall(range.from, view.zone), toWall(range.to, view.zone)];
    find('custom').hidden = view.range !== 'custom';
    find('from').value = wallText(from);
    find('to').value = wallText(to);
    find('custom-fault').textContent = '';
    for (const name of ['domain', 'error', 'order', 'user']) find(name).value = view[name] ?? '';
    errorShown = find('error').value;
    find('domain').placeholder = view.domain === '' ? '(none)' : 'any';
    find('filters-fault').textContent = '';
    find('clear').hidden = !isFiltered();
    find('zoom-out').hidden = (history.state?.outer ?? []).length === 0;
    const narrowed = [['domain', view.domain === '' ? '(none)' : format.name(view.domain ?? '')], ['error', format.name(view.error)],
        ['order', view.order], ['user', view.user]]
        .filter(([, value]) => value !== '');
    find('span').textContent = [spanName(from, to), ...narrowed.map(([name, value]) => `${name} ${value}`)].join(' · ');
    document.title = `${find('span').textContent} – Proxy analytics`;
}

const isFiltered = () => view.domain !== null || view.error !== '' || view.order !== '' || view.user !== '';

function clearFilters() {
    go({ domain: null, order: '', user: '', error: '' });
}

function pickRange(name) {
    if (name === view.range) return load({ force: true, asked: true });
    if (name !== 'custom') return go({ range: name, from: null, to: null }, { outer: [] });
    go({ range: 'custom', from: range.from, to: range.to }, { outer: [] });
    find('from').focus();
}

function submitCustom(event) {
    event.preventDefault();
    const [from, to] = ['from', 'to'].map((id) => (find(id).value === '' ? null : toInstant(parseWall(find(id).value), view.zone)));
    const fault = rangeFault(from, to, view.zone);
    find('custom-fault').textContent = fault;
    if (fault === '') go({ range: 'custom', from, to }, { outer: [] });
}

function submitFilters(event) {
    event.preventDefault();
    const [domain, order, user] = ['domain', 'order', 'user'].map((id) => find(id).value.trim());
    const fault = [['Order', order], ['User', user]].map(([name, text]) => idFault(text) && `${name}: ${idFault(text)}`).find(Boolean) ?? '';
    find('filters-fault').textContent = fault;
    const any = domain === '' && view.domain !== '' ? null : domain;
    const error = find('error').value === errorShown ? view.error : find('error').value;
    if (fault === '') go({ domain: any, error, order, user });
}

function setTheme(name) {
    document.documentElement.dataset.choice = name;
    keep('localStorage', 'theme', name === 'system' ? null : name);
    dispatchEvent(new Event('themechosen')); // theme.js hears it
    redraw();
}

const redraw = () => panels.forEach((panel) => panel.redraw?.());

function wireControls() {
    find('ranges').append(...Object.entries(RANGES).map(([name, text]) => el('button', { type: 'button', value: name, text, onclick: () => pickRange(name) })));
    find('zone').append(...zones().map((zone) => el('option', { value: zone, text: zone.replaceAll('_', ' ') })));
    find('zone').addEventListener('change', () => go({ zone: find('zone').value }));
    find('zoom-out').addEventListener('click', zoomOut);
    find('custom').addEventListener('submit', submitCustom);
    find('filters').addEventListener('submit', submitFilters);
    for (const id of ['domain', 'error', 'order', 'user']) find(id).addEventListener('search', submitFilters); // its own cross
    find('clear').addEventListener('click', clearFilters);
    find('leave').addEventListener('click', () => leave(''));
    find('theme').value = document.documentElement.dataset.choice;
    find('theme').addEventListener('change', () => setTheme(find('theme').value));
    find('refresh').checked = kept('localStorage', 'refresh') !== 'off';
    find('refresh').addEventListener('change', () => keep('localStorage', 'refresh', find('refresh').checked ? null : 'off'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    addEventListener('keydown', ({ key, target }) => {
        if (key === 'Escape' && !find('board').hidden && !target.matches('input, select')) zoomOut();
    });
    addEventListener('popstate', () => {
        view = parseView(location.search);
        if (!find('board').hidden) load({ asked: true });
    });
    addEventListener('online', () => retryAt > 0 && load({ onlyFailed: true }));
    document.addEventListener('visibilitychange', tick);
    setInterval(tick, 500);
}

// ---- the key

// A user's key is given its own figures, whoever's are asked for; an admin's is given nothing of a user who is nobody.
async function askWhoWeAre() {
    const { data } = await get('summary', { ...parametersOf({ ...view, domain: null, error: '', order: '', user: NOBODYS_ID }, range.from, range.to) });
    const isAdmin = data.total_count === '0';
    find('user-box').hidden = !isAdmin;
    const breakdown = panels.find(({ name }) => name === 'breakdown');
    if (breakdown) breakdown.isAdmin = isAdmin;
}

function enter() {
    find('gate').hidden = true;
    for (const id of ['board', 'leave', 'refresh-box']) find(id).hidden = false;
    if (panels.length === 0) {
        panels = makePanels(go, zoom);
        for (const panel of panels) panel.csv?.addEventListener('click', () => download(panel));
    }
    load({ asked: true });
    askWhoWeAre().catch(() => {}); // what there is to be said of a failure, the panels say
}

// Back to the question for the key. What was shown is not left behind it.
function leave(message) {
    useKey(null);
    keep('sessionStorage', 'key', null);
    round++;
    loading = false;
    for (const panel of panels) panel.stop?.abort();
    if (panels.length > 0) {
        keep('sessionStorage', 'farewell', message);
        location.reload();
        return;
    }
    showGate(message);
}

function showGate(message) {
    find('gate').hidden = false;
    find('gate-fault').hidden = message === '';
    find('gate-fault').textContent = message;
    find('key').value = '';
    find('key').focus();
}

async function submitKey(event) {
    event.preventDefault();
    const key = find('key').value.trim();
    if (!isKey(key)) return showGate('That can’t be a key: keys are letters and digits, like fnp_….');
    const button = event.submitter ?? find('gate-form').querySelector('button');
    button.disabled = true;
    useKey(key);
    try {
        range = bounds(view, Date.now());
        await get('traffic', parametersOf(view, range.from, range.to));
    } catch (failure) {
        if (failure.kind !== 'invalid' && failure.kind !== 'slow' && failure.kind !== 'missing') return showGate(failure.message);
    } finally {
        button.disabled = false;
    }
    keep('sessionStorage', 'key', key);
    enter();
}

function begin() {
    history.replaceState(history.state, '', viewSearch(view));
    find('gate-form').addEventListener('submit', submitKey);
    wireControls();
    const key = kept('sessionStorage', 'key');
    const farewell = kept('sessionStorage', 'farewell') ?? '';
    keep('sessionStorage', 'farewell', null);
    if (key === null || !isKey(key)) return showGate(farewell);
    useKey(key);
    enter();
}

begin();
