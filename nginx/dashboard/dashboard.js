// dashboard.js: the page itself: follows the URL, and brings together the controls, the panels and the loading of their
// figures. Knows each of them by what it does, and nothing of how.

import { Failure } from './api.js';
import { announce, el, find, keep, kept } from './dom.js';
import { FIELDS, valueName } from './filters.js';
import { FilterBar } from './filterbar.js';
import { leave, openGate, resume } from './gate.js';
import { makeLists } from './lists.js';
import { Live } from './live.js';
import { Loader } from './loader.js';
import { showBanner, showCountdown, showEmpty, showNotice, showState, showTrouble } from './notices.js';
import { watchForFirst } from './onboarding.js';
import { makePatterns } from './patterns.js';
import { RangeBar } from './rangebar.js';
import { bounds, isByTheMinute } from './ranges.js';
import { wireSharing } from './share.js';
import { preparePrinting, saveCsv, savePicture } from './take.js';
import { makeTimelines } from './timelines.js';
import { Totals } from './totals.js';
import { boundOf, filtersOf, hasMoved, isFiltered, parseView, viewSearch, withoutFilter } from './view.js';
import { dateName, instantsName, parseWall, toWall } from './zone.js';

const CUSTOMERS_FIELDS = ['domain', 'error', 'order', 'protocol', 'port']; // where the service does not say which

let { view, faults } = parseView(location.search);
let range = bounds(view, Date.now());
let who = null;
let bound = { is: {}, not: {} }; // what a shared key is bound to, as a view has it

const mayAsk = (key) => who?.role === 'admin' || (!(key === 'user' && who?.role === 'user') && !Object.hasOwn(bound.is, key) &&
    (who?.dimensions ?? CUSTOMERS_FIELDS).includes(key));
const page = { bound: () => bound, view: () => view, range: () => range, go, mayAsk, reload: () => load({ force: true, asked: true }) };
const loader = new Loader({
    ...page, search: () => viewSearch(view), isByTheMinute: () => isByTheMinute(view),
    refreshes: () => find('refresh').checked && !find('board').hidden && !document.hidden, onShown, onSettled, onRefused,
});
let bars = [];

// ---- where we are

const outerViews = () => history.state?.outer ?? [];

// outer: the views that zooming out leads back to. replaces: the URL changes without a step for Back.
function go(changes, { outer = outerViews(), replaces = Object.hasOwn(changes, 'search') } = {}) {
    const next = { ...view, ...changes };
    if (hasMoved(next, view) && changes.page === undefined) next.page = 1;
    const search = viewSearch(next);
    if (search !== viewSearch(view)) history[replaces ? 'replaceState' : 'pushState']({ outer }, '', search);
    const isElsewhere = next.range !== view.range || next.from !== view.from || JSON.stringify(filtersOf(next)) !== JSON.stringify(filtersOf(view));
    view = next;
    if (isElsewhere && find('main').getBoundingClientRect().top < 0) window.scrollTo({ top: 0 });
    load({ asked: true });
}

function zoom(from, to) {
    const { range: name, from: begin, to: end } = view;
    if (from === range.from && to === range.to) return;
    go({ range: 'custom', from, to }, { outer: [...outerViews(), { range: name, from: begin, to: end }] });
}

function zoomOut() {
    const outer = outerViews();
    if (outer.length > 0) go(outer.at(-1), { outer: outer.slice(0, -1) });
}

function load(how) {
    range = bounds(view, Date.now());
    showControls();
    return loader.load(how);
}

// ---- what the loader tells

function onShown(panel) {
    if (panel.name !== 'totals') return;
    if (panel.isEmpty && !isFiltered(view) && who.role === 'admin') watchForFirst(() => load({ force: true, asked: true })).catch(() => {});
    performance.mark('first-figures');
    showEmpty(panel.isEmpty, isFiltered(view), who.role !== 'admin',
        isFiltered(view) ? el('button', { type: 'button', text: 'Clear filters', onclick: () => go({ is: {}, not: {} }) }) : null,
        view.range === '30d' ? null : el('button', { type: 'button', text: 'Show 30 days', onclick: () => go({ range: '30d', from: null, to: null }, { outer: [] }) }));
}

function onSettled(asked, wasTrouble) {
    if (!loader.trouble && wasTrouble) announce('The service is back. The figures are up to date.');
    else if (!loader.trouble && asked) announce(`${find('span').textContent}: loaded.`);
    showTrouble(loader, localClock, () => loader.load({ onlyFailed: true }));
    showCountdown(loader, Date.now());
    showState(loader, localClock);
}

function onRefused(failure) {
    loader.stop();
    if (failure.kind !== 'zone') return leave(failure.message);
    if (view.zone === 'UTC') return showBanner(failure.message, true);
    showNotice([`The service does not know the time zone ${view.zone}. Times are shown in UTC.`]);
    go({ zone: 'UTC' }, { replaces: true });
}

const localClock = (instant) => new Date(toWall(instant, view.zone)).toISOString().slice(11, 19);

// ---- controls

function showControls() {
    for (const bar of bars) bar.show();
    find('zoom-out').hidden = outerViews().length === 0;
    const words = filtersOf(view).map(({ key, value, isNot }) => `${FIELDS[key].words[0]} ${isNot ? 'is not ' : ''}${valueName(value)}`);
    find('span').textContent = [instantsName(range.from, range.to, view.zone), ...words].join(' · ');
    find('paper-zone').textContent = `Time zone: ${view.zone}`;
    document.title = `${find('span').textContent} – Proxy analytics`;
}

async function take(panel, save, what) {
    try {
        await save(panel, view, range);
        announce(`${panel.title}: downloaded.`);
    } catch (failure) {
        if (!(failure instanceof Failure)) throw failure;
        if (failure.kind === 'unauthorized') leave(failure.message);
        else showBanner(`${panel.title}: no ${what}. ${failure.message}`, false);
    }
}

async function whileBusy(button, work) {
    button.disabled = true;
    await work().finally(() => (button.disabled = false));
}

const redraw = () => loader.panels.forEach((panel) => panel.redraw?.());

function wireTheme() {
    const theme = find('theme');
    const show = () => (theme.value = document.documentElement.dataset.choice);
    show();
    theme.addEventListener('change', () => {
        document.documentElement.dataset.choice = theme.value;
        keep('localStorage', 'theme', theme.value === 'system' ? null : theme.value);
        dispatchEvent(new Event('themechosen')); // theme.js hears it
        redraw();
    });
    addEventListener('themechanged', () => {
        show();
        redraw();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
}

function wireControls() {
    find('zoom-out').addEventListener('click', zoomOut);
    find('leave').addEventListener('click', () => leave(''));
    find('print').addEventListener('click', () => window.print());
    find('refresh').checked = kept('localStorage', 'refresh') !== 'off';
    find('refresh').addEventListener('change', () => keep('localStorage', 'refresh', find('refresh').checked ? null : 'off'));
    addEventListener('keydown', ({ key, target }) => {
        if (key === 'Escape' && !find('board').hidden && !target.matches('input, select')) zoomOut();
    });
    addEventListener('popstate', () => {
        ({ view, faults } = parseView(location.search));
        if (!find('board').hidden) load({ asked: true });
    });
    addEventListener('online', () => loader.retryAt > 0 && loader.load({ onlyFailed: true }));
    document.addEventListener('visibilitychange', tick);
    setInterval(tick, 500);
}

function tick() {
    const now = Date.now();
    if (find('board').hidden) return;
    for (const panel of loader.panels) panel.tick?.(now);
    showCountdown(loader, now);
    const isDue = loader.isDue(now);
    if (isDue) load(isDue);
}

// ---- who looks

// A key that ends at midnight is good on the day before.
function showWho() {
    const { key } = who;
    const expires = key?.expires ? ` · key expires ${dateName(parseWall(key.expires) - 1000)}` : '';
    const name = { user: `Customer ${who.user_id}`, viewer: 'Shared view' }[who.role];
    find('who').textContent = name ? name + expires : expires.replace(' · k', 'K');
    find('who').hidden = find('who').textContent === '';
}

// What of the link this key is not for.
function dropWhatIsNotOurs() {
    for (const { key, value, isNot } of filtersOf(view)) {
        const boundTo = (isNot ? bound.not : bound.is)[key];
        if (boundTo === undefined && mayAsk(key)) continue;
        view = { ...view, ...withoutFilter(view, key) };
        if (boundTo === value) continue;
        faults.push(boundTo !== undefined ? `This shared view is bound to another ${FIELDS[key].words[0]} than the link names. It stays so.` :
            key === 'user' ? `The link is about user ${value}. Your key shows your own figures, and these are shown.` :
                `The link’s filter ${FIELDS[key].label} is not open to your key. It was left out.`);
    }
    history.replaceState(history.state, '', viewSearch(view));
}

function enter(answer) {
    who = answer;
    bound = boundOf(who.filters ?? '');
    dropWhatIsNotOurs();
    showWho();
    showNotice(faults);
    for (const id of ['board', 'leave', 'refresh-box']) find(id).hidden = false;
    find('share-open').hidden = who.role !== 'admin' || !who.key; // an operator's own authentication knows no keys
    document.body.classList.toggle('embed', view.embed);
    showBanner('', false);
    bars = [new RangeBar(page), new FilterBar(page)];
    const panels = [new Totals(), new Live(page), ...makeTimelines(page, zoom), ...makeLists(page), ...makePatterns(page)];
    loader.panels = view.embed ? onlyOne(panels) : panels;
    for (const panel of loader.panels) {
        panel.csv?.addEventListener('click', () => whileBusy(panel.csv, () => take(panel, saveCsv, 'CSV')));
        panel.png?.addEventListener('click', () => take(panel, savePicture, 'picture'));
    }
    load({ asked: true });
}

// In a frame of another page: one panel, and nothing to press around it.
function onlyOne(panels) {
    const chosen = panels.find(({ name }) => name === view.panel) ?? panels.find(({ name }) => name === 'traffic');
    for (const panel of panels) panel.node.hidden = panel !== chosen;
    chosen.node.classList.add('wide');
    chosen.unfold?.();
    return [chosen];
}

// The key that is kept can't be asked about now.
function onTrouble(failure) {
    find('waiting').hidden = false;
    find('waiting-why').textContent = failure.message;
    setTimeout(() => {
        find('waiting').hidden = true;
        resume(enter, onTrouble);
    }, Math.max(failure.retryAfter, 2) * 1000);
}

async function begin() {
    history.replaceState(history.state, '', viewSearch(view) + location.hash);
    wireControls();
    wireTheme();
    wireSharing(page);
    preparePrinting(() => loader.panels, redraw);
    await openGate(enter, onTrouble);
    document.documentElement.dataset.started = 'yes';
}

begin();
