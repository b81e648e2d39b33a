// rangebar.js: the controls of time: ranges, the periods before and after, dates, time zone, comparison. Knows elements and
// clocks. What is being typed stays, whatever is refreshed.

import { el, find } from './dom.js';
import { COMPARISONS, RANGES, neighbour, rangeFault } from './ranges.js';
import { offsetName, isZone, toInstant, toWall, wholeDays, zones } from './zone.js';

const DATE = /^(\d{4})-(\d\d?)-(\d\d?)(?:[ T]+(\d\d?):(\d\d))?$/;

// "2026-03-15 10:15", or a day, to a wall; null for what is none.
function readDate(text) {
    const match = DATE.exec(text.trim());
    if (!match) return null;
    const [year, month, day, hour, minute] = match.slice(1).map((part) => Number(part ?? 0));
    const wall = Date.UTC(year, month - 1, day, hour, minute);
    const date = new Date(wall);
    const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && wall >= 0;
    return isReal ? { wall, isDay: match[4] === undefined } : null;
}
const dateText = (wall) => new Date(wall).toISOString().slice(0, 16).replace('T', ' ');

export class RangeBar {
    // page: {view(), range(), go(changes, options), reload()}
    constructor(page) {
        this.page = page;
        this.isDraft = false;
        find('ranges').append(...Object.entries(RANGES).map(([name, text]) => el('button', {
            type: 'button', value: name, text, onclick: () => this.#pickRange(name),
        })));
        find('earlier').addEventListener('click', () => this.#turn(-1));
        find('later').addEventListener('click', () => this.#turn(1));
        find('compare').append(...Object.entries(COMPARISONS).map(([value, text]) => el('option', { value, text })));
        find('compare').addEventListener('change', () => page.go({ compare: find('compare').value }));
        find('custom').addEventListener('submit', (event) => this.#submit(event));
        for (const id of ['from', 'until']) find(id).addEventListener('input', () => (this.isDraft = true));
        this.#wireZone();
    }

    #wireZone() {
        const now = Date.now();
        find('zones').append(...zones().map((zone) => el('option', { value: zone, text: offsetName(now, zone) })));
        find('zone').addEventListener('change', () => this.#pickZone());
        find('zone').addEventListener('focus', () => find('zone').select());
        find('zone').addEventListener('blur', () => (find('zone').value = this.page.view().zone));
    }

    #pickZone() {
        const text = find('zone').value.trim().replaceAll(' ', '_');
        const zone = zones().find((one) => one.toLowerCase() === text.toLowerCase()) ?? text;
        const isGood = zone !== '' && isZone(zone);
        find('zone-fault').textContent = isGood ? '' : `${text.slice(0, 60)} is not a time zone. Choose one of the list, such as Europe/Kyiv.`;
        if (isGood) this.page.go({ zone });
    }

    #pickRange(name) {
        const { view, range, go, reload } = this.page;
        if (name === view().range) return reload();
        if (name !== 'custom') return go({ range: name, from: null, to: null }, { outer: [] });
        go({ range: 'custom', from: range().from, to: range().to }, { outer: [] });
        find('from').focus();
    }

    #turn(steps) {
        const changes = neighbour(this.page.view(), Date.now(), steps);
        if (changes) this.page.go(changes, { outer: [] });
    }

    #submit(event) {
        event.preventDefault();
        const { zone } = this.page.view();
        const [from, until] = ['from', 'until'].map((id) => readDate(find(id).value));
        const instant = (date, more) => (date ? toInstant(date.wall + more, zone) : null);
        const bounds = [instant(from, 0), instant(until, until?.isDay ? 86400000 : 0)];
        const isUnread = [['from', from], ['until', until]].some(([id, date]) => !date && find(id).value.trim() !== '');
        const fault = isUnread ? 'Write dates as 2026-03-15 or 2026-03-15 10:15.' : rangeFault(...bounds, zone);
        find('custom-fault').textContent = fault;
        if (fault !== '') return;
        this.isDraft = false;
        this.page.go({ range: 'custom', from: bounds[0], to: bounds[1] }, { outer: [] });
    }

    show() {
        const [view, range] = [this.page.view(), this.page.range()];
        for (const button of find('ranges').children) button.setAttribute('aria-pressed', String(button.value === view.range));
        find('later').disabled = neighbour(view, range.now, 1) === null;
        find('earlier').disabled = neighbour(view, range.now, -1) === null;
        find('compare').value = view.compare;
        if (document.activeElement !== find('zone')) find('zone').value = view.zone;
        find('zone-offset').textContent = offsetName(range.now, view.zone);
        find('custom').hidden = view.range !== 'custom';
        if (this.isDraft) return;
        const bounds = wholeDays(range.from, range.to, view.zone) ?? [range.from, range.to].map((bound) => dateText(toWall(bound, view.zone)));
        ['from', 'until'].forEach((id, i) => (find(id).value = bounds[i]));
        find('custom-fault').textContent = '';
    }
}
