// totals.js: the figures on top: sums of the range, against those of the earlier period. Knows what can't be compared: a
// period that began before anything was recorded. Knows no loading.

import { el, find } from './dom.js';
import * as format from './format.js';
import { isByTheMinute } from './ranges.js';
import { figure } from './tables.js';
import { parametersOf } from './view.js';
import { MINUTE, addMonths, clock, dateName, instantsName, parseWall, toInstant, toWall } from './zone.js';

const PEAK = 'The most connections at the same time that a single log reported. Several proxies may have had more together.';
const TOTALS = [
    { key: 'bytes_total', name: 'Traffic', text: format.bytes, exact: format.exactBytes, speed: (value, s) => format.bitsPerSecond((Number(value) * 8) / s) },
    { key: 'total_bytes_sent', name: 'Upload', text: format.bytes, exact: format.exactBytes, about: 'What the proxy’s client sent.' },
    { key: 'total_bytes_received', name: 'Download', text: format.bytes, exact: format.exactBytes, about: 'What the proxy’s client received.' },
    { key: 'total_count', name: 'Requests', text: format.count, exact: format.exact, speed: (value, s) => format.perSecond(Number(value) / s) },
    { key: 'success', name: 'Success rate', isRate: true, about: 'Requests without an error.' },
    { key: 'total_errors', name: 'Errors', text: format.count, exact: format.exact, moreIsWorse: true },
    { key: 'max_concurrency', name: 'Highest reported concurrency', text: format.count, exact: format.exact, about: PEAK },
    {
        key: 'avg_duration_ms', name: 'Average duration', text: format.duration, exact: format.exactDuration, moreIsWorse: true, isThere: format.isDuration,
        about: 'How long a request took, of those whose logs say so.',
    },
];
const isThere = (total, data) => !total.isThere || total.isThere(data);

export const isNothing = (data) => ['total_count', 'total_errors', 'bytes_total'].every((key) => data[key] === '0');
const rateOf = (data) => format.successRate(data.total_errors, data.total_count);

export class Totals {
    constructor() {
        this.name = 'totals';
        this.title = 'Totals';
        this.node = document.querySelector('[data-panel="totals"]');
        for (const total of TOTALS.filter((one) => isThere(one, {}))) this.node.append(this.#card(total, el('span', { text: '…' }), ''));
    }

    // The range, the period before, and two months before that: did it begin before anything was recorded?
    asks(view, { from, to, before }) {
        const asks = [['summary', parametersOf(view, from, to)]];
        if (!before) return asks;
        const user = { ...view, is: Object.hasOwn(view.is, 'user') ? { user: view.is.user } : {}, not: {} };
        const since = Math.max(toInstant(addMonths(toWall(before.from, view.zone), -2) + 3 * 24 * 60 * MINUTE, view.zone), 0);
        return [...asks, ['summary', parametersOf(view, before.from, before.until)], ['summary', parametersOf(user, since, before.from)],
            ['summary', parametersOf(user, before.from, before.until)]];
    }

    #card({ key, name, about }, value, note) {
        return el('div', { class: 'total', title: about ?? null },
            el('div', { class: 'name' }, el('span', { class: `dot ${key}`, 'aria-hidden': 'true' }), name, about ? el('span', { class: 'unseen', text: `: ${about}` }) : null),
            el('div', { class: 'value' }, value), el('div', { class: 'note' }, note));
    }

    #figure(total, data) {
        if (!total.isRate) return figure(total.text(data[total.key]), total.exact(data[total.key]));
        return figure(format.success(rateOf(data)), `${format.exact(data.total_errors)} errors in ${format.exact(data.total_count)} requests`);
    }

    #change(total, data, before) {
        if (!before || !isThere(total, before)) return null;
        if (!total.isRate) {
            const change = format.change(data[total.key], before[total.key]);
            const isJudged = change && total.moreIsWorse && change.direction !== 'same';
            return change && el('span', {
                class: isJudged ? (change.direction === 'up' ? 'worse' : 'better') : null, text: change.text, title: `before: ${total.exact(before[total.key])}`,
            });
        }
        const [now, then] = [rateOf(data), rateOf(before)];
        if (now === null || then === null) return null;
        return el('span', { class: now < then - 0.005 ? 'worse' : now > then + 0.005 ? 'better' : null, text: `before ${format.success(then)}` });
    }

    #note(total, data, before, view, range) {
        const words = [this.#change(total, data, before)];
        if (total.speed && isByTheMinute(view)) words.push(`${total.speed(data[total.key], Math.max(range.now - range.from, 1000) / 1000)} on average`);
        if (total.key === 'total_errors' && Object.hasOwn(view.is, 'error')) {
            const rate = format.percent(data.total_errors, data.total_count);
            if (rate) words.push(`${rate} of requests in logs with this error`);
        }
        return el('span', {}, ...words.filter(Boolean).flatMap((word, i) => (i > 0 ? [' · ', word] : [word])));
    }

    // {before: figures or null, words}
    #compared(earlier, isOlder, whole, view, { before }) {
        if (!before || !earlier) return { before: null, words: '' };
        const span = instantsName(before.from, before.until, view.zone);
        const begins = whole && !isOlder && whole.first_seen ? parseWall(whole.first_seen) : null;
        const slack = Math.max((before.until - before.from) / 100, MINUTE);
        if (begins !== null && begins > toWall(before.from, view.zone) + slack) {
            return { before: null, words: `Data begins on ${dateName(begins)} at ${clock(begins)}, inside the earlier period: no comparison` };
        }
        if (isNothing(earlier)) return { before: null, words: `Nothing to compare with in ${span}` };
        return { before: earlier, words: `Compared with ${span}` };
    }

    show([{ data }, earlier, older, whole], view, range) {
        const isOlder = !older || !isNothing(older.data);
        const { before, words } = this.#compared(earlier?.data, isOlder, whole?.data, view, range);
        this.node.replaceChildren(...TOTALS.filter((total) => isThere(total, data)).map((total) => this.#card(total, this.#figure(total, data), this.#note(total, data, before, view, range))));
        find('compared').textContent = words;
        this.isEmpty = isNothing(data);
        this.lastSeen = data.last_seen ? toInstant(parseWall(data.last_seen), view.zone) : null;
        this.hasNoneBefore = !earlier || (isNothing(earlier.data) && !isOlder && (!whole || isNothing(whole.data)));
    }

    refuse(failure) {
        this.node.replaceChildren(el('p', { class: 'nothing fault', text: failure.message }));
        find('compared').textContent = '';
        find('empty').hidden = true;
    }
}
