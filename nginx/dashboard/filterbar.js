// filterbar.js: what the view is narrowed by: a chip for each filter, and a form for one more, with suggestions. Knows elements
// and fields. What is being typed stays, whatever is refreshed.

import { get } from './api.js';
import { el, find } from './dom.js';
import { FIELDS, fieldFault, tidy, valueName } from './filters.js';
import { filtersOf, isFiltered, parametersOf, withFilter, withoutFilter } from './view.js';

const TYPING_MS = 250;
const SUGGESTIONS = 12;

export class FilterBar {
    // page: {view(), range(), go(changes), mayAsk(key)}
    constructor(page) {
        this.page = page;
        find('filters').addEventListener('submit', (event) => this.#submit(event));
        find('clear').addEventListener('click', () => page.go({ is: {}, not: {} }));
        find('field').addEventListener('change', () => this.#fieldChanged());
        find('value').addEventListener('input', () => this.#suggestLater());
        find('value').addEventListener('focus', () => this.#suggestLater());
    }

    show() {
        const view = this.page.view();
        this.#offerFields();
        const fixed = filtersOf(this.page.bound()).map((chip) => ({ ...chip, isFixed: true }));
        const chips = [...fixed, ...filtersOf(view)];
        const text = JSON.stringify(chips);
        find('clear').hidden = !isFiltered(view);
        if (this.shown === text) return;
        this.shown = text;
        const focused = document.activeElement?.closest('.chip')?.dataset.key;
        find('chips').replaceChildren(...chips.map((chip) => this.#chip(chip)));
        find('chips').hidden = chips.length === 0;
        if (focused) (find('chips').querySelector(`[data-key="${focused}"] button`) ?? find('value')).focus();
    }

    #offerFields() {
        const keys = Object.keys(FIELDS).filter((key) => this.page.mayAsk(key));
        if (this.keys === keys.join()) return;
        this.keys = keys.join();
        find('field').replaceChildren(...keys.map((key) => el('option', { value: key, text: FIELDS[key].label })));
    }

    #chip({ key, value, isNot, isFixed }) {
        const { label } = FIELDS[key];
        const name = valueName(value);
        if (isFixed) {
            return el('li', { class: 'chip fixed', title: 'This shared view is bound to it' }, el('span', { class: 'chip-name', text: `${label} ${isNot ? 'is not' : 'is'}\u00a0` }),
                el('span', { class: 'chip-value', text: name }));
        }
        const turned = isNot ? `Show only ${name}` : `Leave ${name} out`;
        return el('li', { class: isNot ? 'chip not' : 'chip', 'data-key': key },
            el('span', { class: 'chip-name', text: label }),
            el('button', {
                type: 'button', class: 'chip-turn', text: isNot ? 'is not' : 'is', title: turned, 'aria-label': `${label} ${isNot ? 'is not' : 'is'} ${name}. ${turned}`,
                onclick: () => this.page.go(withFilter(this.page.view(), key, value, !isNot)),
            }),
            el('span', { class: 'chip-value', text: name }),
            el('button', {
                type: 'button', class: 'chip-remove', text: '×', title: 'Remove this filter', 'aria-label': `Remove the filter ${label} ${isNot ? 'is not' : 'is'} ${name}`,
                onclick: () => this.page.go(withoutFilter(this.page.view(), key)),
            }));
    }

    #submit(event) {
        event.preventDefault();
        const key = find('field').value;
        const value = tidy(key, find('value').value);
        const fault = find('value').value.trim() === '' ? `Enter ${/^[aeiou]/i.test(FIELDS[key].words[0]) ? 'an' : 'a'} ${FIELDS[key].words[0]}.` : fieldFault(key, value);
        find('filters-fault').textContent = fault;
        if (fault !== '') return;
        find('value').value = '';
        this.page.go(withFilter(this.page.view(), key, value, find('turn').value === 'not'));
    }

    #fieldChanged() {
        find('filters-fault').textContent = '';
        find('value').inputMode = FIELDS[find('field').value].isId ? 'numeric' : '';
        find('suggestions').replaceChildren();
        find('value').focus();
    }

    #suggestLater() {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.#suggest().catch(() => {}), TYPING_MS); // without suggestions it works as well
    }

    // The field's greatest values in this view that contain what is typed.
    async #suggest() {
        const key = find('field').value;
        const typed = tidy(key, find('value').value);
        const view = this.page.view();
        const { from, to } = this.page.range();
        const rest = withoutFilter(view, key);
        const parameters = { ...parametersOf({ ...view, ...rest }, from, to), by: key, sortBy: 'count', limit: SUGGESTIONS };
        const { data } = await get('breakdown', typed === '' ? parameters : { ...parameters, q: typed });
        if (find('field').value !== key) return;
        const values = data.map(({ value }) => value).filter((value) => value !== '');
        find('suggestions').replaceChildren(...values.map((value) => el('option', { value })));
    }
}
