// dom.js: makes elements. Text always goes in as text, never as markup. Knows no figures.

export const find = (id) => document.getElementById(id);

// el('button', {class: 'link', text: name, onclick: f, 'aria-pressed': 'true'}, child…): a property that is null or false
// is left out.
export function el(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === null || value === undefined || value === false) continue;
        if (name === 'text') node.textContent = value;
        else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
        else node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
}

// Says something to a screen reader; nothing is seen.
export function announce(text) {
    find('announcer').textContent = text;
}

// Runs change(), which makes the elements in `node` anew, and finds the place again: the focus on what has the same name,
// and how far the list was scrolled.
export function keepingPlace(node, keepsScroll, change) {
    const nameOf = (one) => one.getAttribute('aria-label') ?? one.textContent;
    const focused = node.contains(document.activeElement) ? document.activeElement : null;
    const name = focused && nameOf(focused);
    const { scrollTop = 0, scrollLeft = 0 } = (keepsScroll && node.querySelector('.scroll')) || {};
    change();
    const list = node.querySelector('.scroll');
    if (list && keepsScroll) Object.assign(list, { scrollTop, scrollLeft });
    if (!focused || focused.isConnected) return;
    const again = [...node.querySelectorAll('button:enabled, summary, [tabindex]')].find((one) => nameOf(one) === name);
    (again ?? list ?? node.querySelector('button'))?.focus({ preventScroll: true });
}

// What is kept in the browser, if it lets us: preferences (local) and the key (session).
export function keep(storage, name, value) {
    try {
        if (value === null) window[storage].removeItem(`analytics.${name}`);
        else window[storage].setItem(`analytics.${name}`, value);
    } catch {
        // storage switched off: it is then kept for as long as the page is open
    }
}

export function kept(storage, name) {
    try {
        return window[storage].getItem(`analytics.${name}`);
    } catch {
        return null;
    }
}

// Hands a Blob to the browser as a file to save.
export function save(name, blob) {
    const url = URL.createObjectURL(blob);
    el('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Buttons of which one is pressed: {key: words}.
export function segments(name, choices, chosen, onPick) {
    return el('div', { class: 'segments small', role: 'group', 'aria-label': name },
        ...Object.entries(choices).map(([key, text]) => el('button', {
            type: 'button', text, 'aria-pressed': String(key === chosen), onclick: () => onPick(key),
        })));
}
