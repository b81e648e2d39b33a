// buckets.js: the buckets of a chart: where each begins and ends, and what that is called. Knows clocks. Knows no canvas and
// no figures.

import { DAY, HOUR, MINUTE, clock, dayName, instantsName, parseWall, toInstant, weekdayName } from './zone.js';

const WIDTHS = { '1m': MINUTE, '5m': 5 * MINUTE, '15m': 15 * MINUTE, hour: HOUR, day: DAY };

// Of rows as the API lists them: {walls, width, begins} and one more begin, where the last ends. The API's times are the
// zone's wall times.
export function placed(rows, from, zone, granularity) {
    const walls = rows.map((row) => parseWall(row.bucket));
    const width = WIDTHS[granularity];
    if (rows.length === 0) return { walls, width, zone, begins: [] };
    if (width === DAY) {
        const begins = walls.map((wall) => toInstant(wall, zone));
        return { walls, width, zone, begins: [...begins, toInstant(walls.at(-1) + DAY, zone)] };
    }
    let first = toInstant(walls[0], zone);
    if (first + width <= from) first += HOUR; // the second time the clock shows it
    return { walls, width, zone, begins: [...walls, 0].map((_, i) => first + i * width) };
}

export const bucketName = ({ begins, zone }, index) => (index + 1 < begins.length ? instantsName(begins[index], begins[index + 1], zone) : '');

// Which bucket an instant is in, or -1.
export const bucketOf = ({ begins }, instant) => begins.findIndex((begin, i) => begin <= instant && instant < begins[i + 1]);

// Under an axis.
export function tickName({ walls, width }, index) {
    if (width >= DAY) return dayName(walls[index]);
    return walls[index] % DAY === 0 ? weekdayName(walls[index]) : clock(walls[index]);
}

// Which indices have a name under an axis that has room for `most`: round hours and midnights. Null: let the axis choose.
export function roundIndices({ walls, width }, most) {
    if (width >= DAY || walls.length < 2) return null;
    const span = walls.at(-1) - walls[0];
    const steps = [5 * MINUTE, 15 * MINUTE, 30 * MINUTE, ...[1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR)];
    const step = steps.find((size) => size >= width && span / size <= most) ?? DAY;
    const found = walls.flatMap((wall, i) => (wall % step === 0 ? [i] : []));
    return found.length > 1 ? new Set(found) : null;
}
