// theme.js: light, dark, or as the system says. Runs before the first paint, so that nothing flashes. Knows nothing else.
'use strict';
{
    const root = document.documentElement;
    const kept = (() => {
        try {
            return localStorage.getItem('analytics.theme');
        } catch {
            return null; // storage switched off
        }
    })();
    if (kept === 'light' || kept === 'dark') root.dataset.theme = kept;
}
