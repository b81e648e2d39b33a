// live.js: how fresh the logs are: when the last one came, and which workers have been silent. Shown with the ranges that are
// by the minute. Knows no charts.

import { el } from './dom.js';
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

    // Who is silent was heard of in the last day, and is not among those of the last minutes.
    asks(view, range) {
        this.node.hidden = !isByTheMinute(view);
        if (this.node.hidden) return [];
        const [from, to] = [Math.floor(range.to / HOUR) * HOUR - DAY, range.to];
        const asks = [['summary', parametersOf(view, from, to)]];
        const workers = (begin) => ['breakdown', { ...boundParameters(view, begin, to), by: 'worker', limit: 1000 }];
        return this.page.mayAsk('worker') ? [...asks, workers(from), workers(to - SILENT_MS - MINUTE)] : asks;
    }

    show([{ data }, known, heard], view) {
        this.lastAt = data.last_seen ? toInstant(parseWall(data.last_seen), view.zone) : null;
        this.tick(Date.now());
        const now = new Set((heard?.data ?? []).map(({ value }) => value));
        const all = (known?.data ?? []).map(({ value }) => value);
        this.#showSilent(all.filter((value) => !now.has(value)).sort(), heard ? all.length : 0);
    }

    tick(now) {
        if (this.node.hidden) return;
        const text = this.lastAt === null ? 'No log in the last 24 hours' : `Last log ${format.ago(now - this.lastAt)} ago`;
        if (this.last.textContent !== text) this.last.textContent = text;
    }

    #showSilent(silent, all) {
        const pick = (key, value, isNot) => this.page.go(withFilter(this.page.view(), key, value, isNot));
        const names = silent.slice(0, SHOWN).flatMap((value) => [' ', filterButton('worker', value, pick)]);
        const fine = all > 0 ? [`All ${format.plural(all, 'worker', 'workers')} of the last 24 hours sent logs in the last 5 min`] : [];
        this.silent.replaceChildren(...(silent.length === 0 ? fine :
            [el('strong', { text: `${format.plural(silent.length, 'worker', 'workers')} silent for over 5 min:` }), ...names, silent.length > SHOWN ? ' …' : '']));
    }

    refuse(failure) {
        this.last.textContent = failure.message;
        this.silent.replaceChildren();
    }
}
