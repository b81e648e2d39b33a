// theme.js: light, dark, or as the system says. Runs before the first paint, so that nothing flashes. Knows nothing else.
'use strict';
{
    const root = document.documentElement;
    const system = matchMedia('(prefers-color-scheme: dark)');
    const read = () => {
        try {
            root.dataset.choice = localStorage.getItem('analytics.theme') ?? 'system';
        } catch {
            root.dataset.choice = 'system'; // storage switched off
        }
    };
    read();
    const apply = () => {
        const { choice } = root.dataset;
        root.dataset.theme = choice === 'light' || choice === 'dark' ? choice : system.matches ? 'dark' : 'light';
    };
    apply();
    system.addEventListener('change', apply);
    addEventListener('themechosen', apply);
    addEventListener('storage', ({ key }) => { // chosen in another tab
        if (key !== 'analytics.theme' && key !== null) return;
        read();
        apply();
        dispatchEvent(new Event('themechanged'));
    });
}
