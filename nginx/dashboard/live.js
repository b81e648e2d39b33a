// live.js: how fresh the logs are: when the last one came, and which workers have been silent. Shown with the ranges that are
// by the minute. Knows no charts.

import { el } from './dom.js';
import { valueName } from './filters.js';
import * as format from './format.js';
import { boundParameters, isByTheMinute } from './ranges.js';
import { filterButton } from './tables.js';
import { parametersOf, withFilter } from './view.js';
import { DAY, HOUR, MINUTE, parseWall, toInstant } from './zone.js';

const SILENT_MS = 5 * MINUTE;
const SHOWN = 6;

export class Live {
    constructor(page) {
        Object.assign(this, { name: 'live', title: 'Live', page, lastAt: null });
        this.node = document.querySelector('[data-panel="live"]');
        this.last = el('span', { class: 'live-last' });
        this.silent = el('span', { class: 'live-silent' });
        this.node.append(this.last, this.silent);
    }

    // A day back: who is silent has been heard of before.
    asks(view, range) {
        this.node.hidden = !isByTheMinute(view);
        if (this.node.hidden) return [];
        const [from, to] = [Math.floor(range.to / HOUR) * HOUR - DAY, range.to];
        const asks = [['summary', parametersOf(view, from, to)]];
        return this.page.mayAsk('worker') ? [...asks, ['breakdown', { ...boundParameters(view, from, to), by: 'worker', limit: 1000 }]] : asks;
    }

    show([{ data }, workers], view) {
        const instant = (text) => (text ? toInstant(parseWall(text), view.zone) : null);
        this.lastAt = instant(data.last_seen);
        this.workers = (workers?.data ?? []).map(({ value, last_seen: last }) => ({ value, at: instant(last) })).filter(({ at }) => at !== null);
        this.tick(Date.now());
        this.#showSilent(Date.now());
    }

    tick(now) {
        if (this.node.hidden) return;
        const text = this.lastAt === null ? 'No log in the last 24 hours' : `Last log ${format.ago(now - this.lastAt)} ago`;
        if (this.last.textContent !== text) this.last.textContent = text;
    }

    #showSilent(now) {
        const silent = this.workers.filter(({ at }) => now - at >= SILENT_MS).sort((a, b) => b.at - a.at);
        const pick = (key, value, isNot) => this.page.go(withFilter(this.page.view(), key, value, isNot));
        const names = silent.slice(0, SHOWN).flatMap(({ value, at }) => [' ', value === '' ? valueName(value) : filterButton('worker', value, pick),
            ` for ${format.ago(now - at)}`]);
        this.silent.replaceChildren(...(silent.length === 0 ? (this.workers.length > 0 ? [`All ${format.plural(this.workers.length, 'worker', 'workers')} sent logs in the last 5 min`] : []) :
            [el('strong', { text: format.plural(silent.length, 'worker silent:', 'workers silent:') }), ...names, silent.length > SHOWN ? ' …' : '']));
    }

    refuse(failure) {
        this.last.textContent = failure.message;
        this.silent.replaceChildren();
    }
}
