// lists.js: the panels that are tables: domains, a breakdown by any recorded field, errors. Knows figures and what the API
// calls them. Knows no loading.

import { el } from './dom.js';
import { FIELDS, tidy } from './filters.js';
import * as format from './format.js';
import { Panel } from './panel.js';
import { barOf, bytesOf, countOf, durationsOf, errorRateOf, filterButton, pages, shareOf, table, timeOf, wholeOf } from './tables.js';
import { parametersOf } from './view.js';

const PAGE_ROWS = 25;
const FEW_ROWS = 30;
const MANY_ROWS = 100;
const TYPING_MS = 300;
const MEASURES = { bytes: 'bytes_total', count: 'total_count', errors: 'total_errors', error_rate: 'total_errors', duration: 'avg_duration_ms' };

class Domains extends Panel {
    constructor(page) {
        super('domains', 'Domains', page);
        this.search = el('input', { type: 'search', placeholder: 'Search domains', 'aria-label': 'Search domains', maxlength: 253, spellcheck: 'false', autocapitalize: 'off' });
        this.search.addEventListener('input', () => this.#typed());
        this.controls.append(this.search);
    }
    #typed() {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.page.go({ search: tidy('domain', this.search.value) }), TYPING_MS);
    }
    asks(view, { from, to }) {
        const parameters = { ...parametersOf(view, from, to), by: 'domain', sortBy: view.sort, page: view.page, limit: PAGE_ROWS };
        if (view.search === '') return [['breakdown', parameters]];
        return [['breakdown', { ...parameters, q: view.search }], ['summary', parametersOf(view, from, to)]]; // shares are of all, not of what is found
    }
    csvAsks(view, range) {
        return { ...super.csvAsks(view, range), first: 'domain', what: 'domains' };
    }
    #columns(rows, whole, sort) {
        return [
            { key: 'domain', name: 'Domain', share: barOf(rows, MEASURES[sort]), cell: (row) => filterButton('domain', row.value, this.pick) },
            bytesOf('bytes_total', 'Traffic', 'bytes'), shareOf('bytes_total', whole.bytes_total, 'Share'), countOf('total_count', 'Requests', 'count'),
            countOf('total_errors', 'Errors', 'errors'), errorRateOf(whole), ...durationsOf(rows),
            ...(rows.some((row) => row.first_seen) ? [timeOf('first_seen', 'First seen'), timeOf('last_seen', 'Last seen')] : []),
        ];
    }
    show([answer, summary], view) {
        const { data, other } = answer;
        if (this.search !== document.activeElement) this.search.value = view.search;
        if (answer.total === 0) return this.say(view.search === '' ? 'No domains in this period.' : `No domain has “${view.search}” in its name.`);
        const turn = pages(answer, FIELDS.domain.words, (number) => this.page.go({ page: number }));
        if (data.length === 0) {
            this.say(`There is no page ${answer.page}: the last one is ${answer.totalPages}.`);
            return this.body.append(turn);
        }
        const columns = this.#columns(data, summary?.data ?? wholeOf(data, other), view.sort);
        this.body.replaceChildren(table({ caption: 'Domains', columns, rows: data, sort: view.sort, onSort: (sort) => this.page.go({ sort }) }), turn);
    }
}

// A list that ends after some rows, and may be widened.
class Top extends Panel {
    constructor(name, title, page, rows) {
        super(name, title, page);
        this.rows = rows;
        this.widenedFor = null;
    }
    #what() {
        const { range, from, to, is, not, by } = this.page.view();
        return JSON.stringify([range, from, to, is, not, by]);
    }
    limit() {
        return this.widenedFor === this.#what() ? MANY_ROWS : this.rows;
    }
    // total: null where the API does not say it.
    foot(shown, total, words) {
        if (total === null ? shown < this.limit() : shown >= total) return '';
        const widen = () => {
            this.widenedFor = this.#what();
            this.page.go({});
        };
        return el('div', { class: 'pages' }, el('span', { text: `Top ${shown}${total === null ? '' : ` of ${format.exact(total)}`} ${words[1]}. CSV has all of them.` }),
            shown < MANY_ROWS ? el('button', { type: 'button', text: `Show ${Math.min(MANY_ROWS, total ?? MANY_ROWS)}`, onclick: widen }) : null);
    }
}

const BREAKDOWNS = Object.keys(FIELDS).filter((key) => !['domain', 'error'].includes(key)); // which have panels of their own

class Breakdown extends Top {
    constructor(page) {
        super('breakdown', 'Breakdown', page, FEW_ROWS);
        this.by = el('select', { 'aria-label': 'Breakdown by', onchange: () => this.page.go({ by: this.by.value }) });
        this.controls.before(this.by);
    }
    // The chosen field. If a filter leaves one value of it, or the key may not ask for it: the next field that may have several.
    #byOf(view) {
        const is = { ...this.page.bound().is, ...view.is };
        if (this.page.mayAsk(view.by) && !Object.hasOwn(is, view.by)) return view.by;
        const at = BREAKDOWNS.indexOf(view.by);
        const hasSeveral = (key) => this.page.mayAsk(key) && !Object.hasOwn(is, key) && !(key === 'user' && Object.hasOwn(is, 'order')); // an order is one user's
        return [...BREAKDOWNS.slice(at + 1), ...BREAKDOWNS.slice(0, at + 1)].find(hasSeveral) ?? view.by;
    }
    asks(view, { from, to }) {
        return [['breakdown', { ...parametersOf(view, from, to), by: this.#byOf(view), sortBy: view.sort, limit: this.limit() }]];
    }
    csvAsks(view, range) {
        const by = this.#byOf(view);
        return { ...super.csvAsks(view, range), first: by, what: `breakdown-by-${by}` };
    }
    // Only what is new: an open list of choices stays open. A field of which a filter leaves one value cannot be chosen.
    #choices(view) {
        const by = this.#byOf(view);
        const keys = BREAKDOWNS.filter((key) => this.page.mayAsk(key) || key === by);
        if (this.keys !== keys.join()) {
            this.keys = keys.join();
            this.by.replaceChildren(...keys.map((key) => el('option', { value: key, text: `By ${FIELDS[key].words[0]}` })));
        }
        for (const option of this.by.options) option.disabled = option.value !== by && Object.hasOwn(view.is, option.value);
        if (this.by.value !== by) this.by.value = by;
        return by;
    }
    show([{ data, other, total }], view) {
        const by = this.#choices(view);
        if (data.length === 0) return this.say('Nothing to break down in this period.');
        const whole = wholeOf(data, other);
        const rows = total > data.length ? [...data, { ...other, rest: `${format.plural(total - data.length, 'other', 'others')}` }] : data;
        const columns = [
            {
                key: 'value', name: FIELDS[by].label, share: barOf(data, MEASURES[view.sort]),
                cell: (row) => row.rest ?? filterButton(by, row.value, this.pick),
            },
            bytesOf('bytes_total', 'Traffic', 'bytes'), shareOf('bytes_total', whole.bytes_total), countOf('total_count', 'Requests', 'count'),
            countOf('total_errors', 'Errors', 'errors'), errorRateOf(whole), ...durationsOf(rows),
        ];
        const caption = `Breakdown by ${FIELDS[by].words[0]}`;
        this.body.replaceChildren(table({ caption, columns, rows, sort: view.sort, onSort: (sort) => this.page.go({ sort }) }),
            this.foot(data.length, total, FIELDS[by].words));
    }
    refuse(failure) {
        this.#choices(this.page.view());
        super.refuse(failure);
    }
}

class Errors extends Top {
    constructor(page) {
        super('errors', 'Errors', page, 50);
    }
    asks(view, { from, to }) {
        return [['errors', { ...parametersOf(view, from, to), limit: this.limit() }]];
    }
    #samples(row) {
        return el('span', { class: 'samples' }, ...row.sample_domains.map((domain) => filterButton('domain', domain, this.pick)));
    }
    show([{ data }]) {
        if (data.length === 0) return this.say('No errors in this period.');
        const columns = [
            { key: 'error', name: 'Error', wide: true, share: barOf(data, 'total_errors'), cell: (row) => filterButton('error', row.error, this.pick) },
            countOf('total_errors', 'Count'), timeOf('first_seen', 'First seen'), timeOf('last_seen', 'Last seen'),
            { key: 'sample_domains', name: 'Most affected domains', cell: (row) => this.#samples(row) },
        ];
        this.body.replaceChildren(table({ caption: 'Errors', columns, rows: data }), this.foot(data.length, null, FIELDS.error.words));
    }
}

export const makeLists = (page) => [new Domains(page), new Breakdown(page), new Errors(page)];
