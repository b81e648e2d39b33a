// take.js: what is taken away: files of a panel, and paper. Knows names of files, pictures and print. Knows no API's rows.

import { getCsv } from './api.js';
import { save } from './dom.js';
import { FIELDS, valueName } from './filters.js';
import { filtersOf } from './view.js';
import { boundText, instantsName, wholeDays } from './zone.js';

const PAPER_PX = 700; // A4 between its margins
const PICTURE_PX = 1200;

const plain = (text) => text.replace(/[^\p{L}\p{N}.-]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60);

// "breakdown-by-worker_domain-google.com_2026-03-15_2026-03-16_Europe-Kyiv.csv": whole days from the first to the last, one day once.
function fileName(what, view, { from, to }, kind) {
    const filters = filtersOf(view).map(({ key, value, isNot }) => `${isNot ? 'not-' : ''}${key}-${plain(value) || 'none'}`);
    const span = wholeDays(from, to, view.zone) ?? [from, to].map((bound) => boundText(bound, view.zone).replaceAll(':', ''));
    return `${[what, ...filters, ...new Set(span), plain(view.zone)].join('_').slice(0, 200)}.${kind}`;
}

export async function saveCsv(panel, view, range) {
    const { path, parameters, first, what } = panel.csvAsks(view, range);
    save(fileName(what, view, range, 'csv'), await getCsv(path, parameters, first));
}

// The chart with its heading, legend, range and zone, on the page's background.
export function savePicture(panel, view, range) {
    const chart = panel.chart.canvas;
    const scale = PICTURE_PX / chart.clientWidth;
    const [pad, head] = [24, 84];
    const picture = document.createElement('canvas');
    picture.width = PICTURE_PX + 2 * pad;
    picture.height = Math.round(chart.clientHeight * scale) + head + pad;
    const pen = picture.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    pen.fillStyle = ink('--card');
    pen.fillRect(0, 0, picture.width, picture.height);
    const write = (text, x, y, font, colour) => Object.assign(pen, { font: `${font} ${getComputedStyle(document.body).fontFamily}`, fillStyle: ink(colour) }).fillText(text, x, y);
    write(panel.title, pad, 34, '600 22px', '--text');
    const words = filtersOf(view).map(({ key, value, isNot }) => `${FIELDS[key].label} ${isNot ? 'is not' : 'is'} ${valueName(value)}`);
    write([instantsName(range.from, range.to, view.zone), view.zone, ...words].join(' · '), pad, 58, '15px', '--muted');
    let x = pad;
    for (const { name, colour, key } of panel.chart.series) {
        if (panel.chart.hidden.has(key)) continue;
        Object.assign(pen, { fillStyle: ink(colour) }).fillRect(x, 67, 11, 11);
        write(name, x + 17, 77, '14px', '--muted');
        x += 40 + pen.measureText(name).width;
    }
    pen.drawImage(chart, pad, head, PICTURE_PX, chart.clientHeight * scale);
    const { what } = panel.csvAsks(view, range);
    picture.toBlob((blob) => save(fileName(what, view, range, 'png'), blob));
}

// Paper is white and narrow: light colours and charts of its width while it is printed.
export function preparePrinting(panels, redraw) {
    const root = document.documentElement;
    let theme = null;
    addEventListener('beforeprint', () => {
        theme = root.dataset.theme;
        root.dataset.theme = 'light';
        redraw();
        for (const { chart } of panels()) chart?.resize(PAPER_PX, 230);
    });
    addEventListener('afterprint', () => {
        root.dataset.theme = theme ?? root.dataset.theme;
        redraw();
        for (const { chart } of panels()) chart?.resize();
    });
}
