// notices.js: what the page has to say about itself: how fresh the figures are, what is wrong with the service, what of a link
// can't be shown, that there is nothing to show. Knows elements and words. Knows no loading.

import { el, find } from './dom.js';

// Above the figures; isBad: the service can't be reached.
export function showBanner(text, isBad, ...more) {
    const banner = find('banner');
    banner.hidden = text === '';
    banner.classList.toggle('bad', isBad);
    banner.replaceChildren(el('span', { text }), ...more);
}

// Something that the person should know once, until it is closed.
export function showNotice(texts) {
    const box = find('notice');
    box.hidden = texts.length === 0;
    if (texts.length === 0) return box.replaceChildren();
    box.replaceChildren(el('div', {}, ...texts.map((text) => el('p', { text }))),
        el('button', { type: 'button', text: 'Close', onclick: () => showNotice([]) }));
}

export function showTrouble(loader, clock, onRetry) {
    if (!loader.trouble) return showBanner('', false);
    const since = loader.isStale() ? ` The figures are those of ${clock(loader.loadedAt)}.` : '';
    showBanner(loader.trouble.message + since, loader.trouble.kind === 'down', el('span', { id: 'countdown', 'aria-hidden': 'true' }),
        el('button', { type: 'button', text: 'Retry now', onclick: onRetry }));
}

export function showCountdown(loader, now) {
    const countdown = find('countdown');
    if (!countdown) return;
    countdown.textContent = loader.loading ? 'Retrying …' : `Retrying in ${Math.max(0, Math.ceil((loader.retryAt - now) / 1000))} s`;
}

export function showState(loader, clock) {
    const isFresh = !loader.trouble && loader.loadedAt > 0;
    find('state').textContent = isFresh ? `Updated ${clock(loader.loadedAt)}` : loader.isStale() ? `Data from ${clock(loader.loadedAt)}` : '';
}

// Nothing in this view; the words are for who reads them.
export function showEmpty(isEmpty, isFiltered, isCustomer, ...actions) {
    const box = find('empty');
    box.hidden = !isEmpty;
    if (!isEmpty) return;
    const why = isFiltered ? 'Remove a filter, or choose a longer range.' : isCustomer ? 'Traffic appears here once your proxies are used.' :
        'Choose a longer range, or check that your workers send their logs.';
    box.replaceChildren(el('h2', { text: isFiltered ? 'Nothing matches these filters' : 'No traffic in this period' }), el('p', { class: 'hint', text: why }),
        el('div', { class: 'actions' }, ...actions.filter(Boolean)));
}
