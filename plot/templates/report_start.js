/* Starts the page: which experiment's charts are shown, when each is drawn, what happens before print. */
function startPicker() {
    const chapters = [...document.querySelectorAll(".chapter")];
    if (chapters.length < 2) return;
    const title = chapter => chapter.querySelector("h3").textContent;
    const select = make("select", {id: "picker-select", onchange: () => pick(select.value)},
                        ...chapters.map(chapter => make("option", {value: chapter.id}, title(chapter))), make("option", {value: "all"}, "all experiments"));
    const step = by => {
        const at = Math.max(0, select.selectedIndex) + by;
        pick(chapters[(at + chapters.length) % chapters.length].id);
    };
    const pick = id => {
        select.value = id;
        for (const chapter of chapters) chapter.hidden = id !== "all" && chapter.id !== id;
    };
    const follow = () => {
        const id = location.hash.slice(1), chapter = chapters.find(one => one.id === id || (id && one.querySelector(`#${CSS.escape(id)}`)));
        if (!chapter) return;
        if (chapter.hidden) pick(chapter.id);
        document.getElementById(id).scrollIntoView();
    };
    document.getElementById("picker").append(make("label", {}, "Experiment ", select),
        make("button", {type: "button", "aria-label": "previous experiment", onclick: () => step(-1)}, "◀"),
        make("button", {type: "button", "aria-label": "next experiment", onclick: () => step(1)}, "▶"));
    addEventListener("hashchange", follow);
    /* A link to the experiment that is in the address already changes nothing there. */
    document.addEventListener("click", event => { if (event.target.closest?.("a[href^='#']")) setTimeout(follow); });
    pick(chapters[0].id);
    follow();
}

/* Of the tables at a glance one is shown at a time; print has all. */
function startGlance() {
    const tables = [...document.querySelectorAll(".glance")], holder = document.getElementById("glance");
    if (!holder) return;
    const buttons = tables.map((table, at) => make("button", {type: "button", onclick: () => show(at)}, table.getAttribute("aria-label")));
    const show = at => {
        tables.forEach((table, place) => { table.hidden = place !== at; });
        buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(place === at)));
    };
    holder.append(...buttons);
    show(0);
}

function startFigures() {
    const seen = new IntersectionObserver(entries => {
        for (const entry of entries) if (entry.isIntersecting) figures.find(figure => figure.element === entry.target).show();
    }, {rootMargin: "200px"});
    for (const element of document.querySelectorAll("figure.chart")) {
        figures.push(new ChartFigure(element));
        seen.observe(element);
    }
    document.addEventListener("themechange", () => { for (const figure of figures) figure.draw(); });
    /* What print needs has to be at hand when it is asked for: loaded when there is nothing else to do. */
    const waiting = [...figures];
    const loadNext = async () => {
        const figure = waiting.shift();
        if (!figure) {
            document.documentElement.dataset.ready = "yes";
            return;
        }
        await figure.load().catch(console.error);
        idle(loadNext);
    };
    if (document.readyState === "complete") idle(loadNext);
    else addEventListener("load", () => idle(loadNext));
    addEventListener("beforeprint", () => { for (const figure of figures) figure.print(); });
    addEventListener("afterprint", () => { for (const figure of figures) figure.element.querySelector(".print").replaceChildren(); });
}

function idle(action) {
    if (window.requestIdleCallback) requestIdleCallback(action, {timeout: 2000});
    else setTimeout(action, 50);
}

/* After the first paint: what can be read is there without scripts, and is not kept waiting for them. */
requestAnimationFrame(() => setTimeout(() => {
    for (const start of [startTheme, startGlance, startTable, startSamples, startPicker, startFigures]) start();
    document.documentElement.dataset.started = "yes";
}));
