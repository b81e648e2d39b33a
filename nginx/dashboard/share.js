// share.js: a link for somebody without a key of their own: a new key that only reads, only within the filters of this view, and
// only for a while. Knows the dialog and the API's words for it. Knows no panels.

import { Failure, post } from './api.js';
import { el, find } from './dom.js';
import { FIELDS, valueName } from './filters.js';
import { copyable } from './onboarding.js';
import { filtersOf, parametersOf, viewSearch } from './view.js';
import { DAY, clock, dateName, parseWall } from './zone.js';

const DAYS = 30;

// The filters alone, as the API has them.
function boundTo(view) {
    const { from, to, timezone, ...filters } = parametersOf(view, 0, 0);
    return filters;
}

function showBounds(view) {
    const filters = filtersOf(view);
    find('share-filters').replaceChildren(...(filters.length === 0 ? [el('li', { class: 'bad', text: 'Everything: no filter is set. Set one before you share, unless all is meant.' })] :
        filters.map(({ key, value, isNot }) => el('li', { text: `${FIELDS[key].label} ${isNot ? 'is not' : 'is'} ${valueName(value)}` }))));
}

// A key that ends at midnight is good on all of the day before.
const endName = (wall) => (wall % DAY === 0 ? `the end of ${dateName(wall - DAY)}` : `${dateName(wall)}, ${clock(wall)}`);

function showLinks(view, { key, expires }) {
    const page = location.href.split(/[?#]/)[0];
    const link = `${page}${viewSearch(view)}#key=${key}`;
    const frame = `<iframe src="${page}${viewSearch({ ...view, embed: true, panel: 'traffic' })}#key=${key}" width="800" height="360"></iframe>`.replaceAll('&', '&amp;');
    find('share-form').hidden = true;
    find('share-links').replaceChildren(el('p', { text: `Whoever has this link sees these figures until ${endName(parseWall(expires))} (UTC). It is shown once; analyticsctl key revoke takes it back.` }),
        copyable('the link', link), el('h3', { text: 'One chart in a page of yours' }),
        el('p', { class: 'hint', text: 'The operator’s nginx must name that page first (analytics_frame_ancestors).' }), copyable('the frame', frame),
        el('div', { class: 'actions' }, el('button', { type: 'button', class: 'primary', text: 'Done', onclick: () => find('share').close() })));
    find('share-links').querySelector('button').focus();
}

async function submit(event, view) {
    event.preventDefault();
    find('share-fault').textContent = '';
    const button = find('share-make');
    button.disabled = true;
    try {
        showLinks(view, await post('shares', { name: find('share-name').value.trim(), expires: find('share-expires').value.trim(), ...boundTo(view) }));
    } catch (failure) {
        if (!(failure instanceof Failure)) throw failure;
        find('share-fault').textContent = failure.message;
    } finally {
        button.disabled = false;
    }
}

export function wireSharing(page) {
    find('share-open').addEventListener('click', () => {
        showBounds(page.view());
        find('share-form').hidden = false;
        find('share-links').replaceChildren();
        find('share-fault').textContent = '';
        find('share-expires').value = new Date(Date.now() + DAYS * 86400000).toISOString().slice(0, 10);
        find('share').showModal();
    });
    find('share-cancel').addEventListener('click', () => find('share').close());
    find('share-form').addEventListener('submit', (event) => submit(event, page.view()));
}
