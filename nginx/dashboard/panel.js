// panel.js: the frame of a panel: heading, controls, what there is to take away, body. A panel says what it asks the API and
// shows the answers. Knows elements. Knows no loading, no keys, no URL.

import { el } from './dom.js';
import { withFilter } from './view.js';

export class Panel {
    // page: {go(changes), view()}
    constructor(name, title, page) {
        Object.assign(this, { name, title, page });
        this.node = document.querySelector(`[data-panel="${name}"]`);
        this.controls = el('div', { class: 'segment-box' });
        this.csv = el('button', { type: 'button', class: 'take', text: 'CSV', 'aria-label': `${title} as CSV`, title: 'Download all of it as CSV' });
        this.body = el('div', { class: 'panel-body' });
        const heading = el('h2', { text: title, id: `${name}-title` });
        this.node.setAttribute('aria-labelledby', heading.id);
        this.node.append(el('div', { class: 'panel-head' }, heading, this.controls, el('div', { class: 'takes' }, this.csv)), this.body);
        this.pick = (key, value, isNot) => this.page.go(withFilter(this.page.view(), key, value, isNot));
    }
    // [[path, parameters]…]: the first is needed, the others may be missing. None: nothing to show now. A panel that has
    // follows(answers) asks what it gives as well, once these are known.
    asks() {
        return [];
    }
    say(text, isFault = false) {
        this.body.replaceChildren(el('p', { class: isFault ? 'nothing fault' : 'nothing', text }));
    }
    refuse(failure) {
        this.say(failure.message, true);
    }
    // What its file holds: all rows, and what the first column is called where that is not the API's name for it.
    csvAsks(view, range) {
        const [path, parameters] = this.asks(view, range)[0];
        const { limit, page, ...whole } = parameters;
        return { path, parameters: whole, first: null, what: path };
    }
}
