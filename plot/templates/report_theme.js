/* Light and dark: as the system has it, or as a button says. The looks of rows: colour, dash and symbol, so that none is told by colour alone. */

/* Okabe and Ito, "Color Universal Design" (2008), in the order of plot/style.py; lighter where the paper is dark. */
const ROW_COLOURS = {
    light: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"],
    dark: ["#4FA8E0", "#F4813A", "#20C997", "#E3A3C8", "#FFFFFF", "#F2B632", "#9AD6F7"],
};
const ROW_DASHES = ["solid", [7, 3], [2, 2], [9, 3, 2, 3], [12, 4]];
const ROW_SYMBOLS = ["circle", "rect", "triangle", "diamond", "path://M0 4 L4 0 L10 6 L16 0 L20 4 L14 10 L20 16 L16 20 L10 14 L4 20 L0 16 L6 10 Z",
                     "path://M0 0 L20 0 L10 18 Z", "path://M10 0 L13 7 L20 7.5 L14.5 12 L16.5 20 L10 15.5 L3.5 20 L5.5 12 L0 7.5 L7 7 Z"];
const INKS = {
    light: {ink: "#1f2328", faint: "#59636e", paper: "#ffffff", line: "#d1d9e0", object: "#9a9a9a", live: "#d4d4d4", stripe: "rgba(0,0,0,0.045)",
            free: "#e2e2e2", missing: "#8a8a8a"},
    dark: {ink: "#e6e9ec", faint: "#a9b2bb", paper: "#14181c", line: "#3a424a", object: "#6d747b", live: "#3d444b", stripe: "rgba(255,255,255,0.06)",
           free: "#343b42", missing: "#8a8a8a"},
};
const darkQuery = window.matchMedia("(prefers-color-scheme: dark)");

function themeName() {
    return document.documentElement.dataset.theme || (darkQuery.matches ? "dark" : "light");
}

/* Inks of a theme, and the look of the row that has number `look` on the page; null is what is no row. */
function makeTheme(name) {
    const inks = INKS[name], colours = ROW_COLOURS[name];
    return {...inks, name, colours, row: look => look === null || look === undefined ? {colour: inks.faint, dash: [5, 4], symbol: "circle"} : {
        colour: colours[look % colours.length], dash: ROW_DASHES[Math.floor(look / 7) % ROW_DASHES.length], symbol: ROW_SYMBOLS[look % 7]}};
}

/* A small picture of a row's look, for the boxes that switch rows. */
function drawSwatch(look) {
    const theme = makeTheme(themeName()), {colour, dash} = theme.row(look);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [name, value] of Object.entries({width: 26, height: 10, "aria-hidden": true})) svg.setAttribute(name, value);
    for (const [name, value] of Object.entries({x1: 0, x2: 26, y1: 5, y2: 5, stroke: colour, "stroke-width": 4}))
        line.setAttribute(name, value);
    if (dash !== "solid") line.setAttribute("stroke-dasharray", dash.join(" "));
    svg.append(line);
    return svg;
}

function startTheme() {
    const button = make("button", {type: "button", id: "theme-button", onclick: () => {
        document.documentElement.dataset.theme = themeName() === "dark" ? "light" : "dark";
        tell();
    }});
    const tell = () => {
        const other = themeName() === "dark" ? "light" : "dark";
        button.textContent = `${other === "dark" ? "Dark" : "Light"} page`;
        document.dispatchEvent(new Event("themechange"));
    };
    darkQuery.addEventListener("change", tell);
    document.getElementById("theme").append(button);
    tell();
}
