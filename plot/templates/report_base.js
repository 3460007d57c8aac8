/* What all scripts of the page use: elements, quantities in words (as plot/words.py writes them), packed data, the library. */
"use strict";

const NARROW = "\u00a0";
const MINUS = "\u2212";

/* An element with attributes and children; text is text, whatever is in it. */
function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (value === true) element.setAttribute(name, "");
        else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
}

function escapeText(text) {
    return String(text).replace(/[&<>"']/g, letter => `&#${letter.charCodeAt(0)};`);
}

function writeNumber(value, digits = 1) {
    const text = Math.abs(value).toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits});
    return (value < 0 && /[1-9]/.test(text) ? MINUS : "") + text;
}

/* Significant digits without an exponent, trailing zeros cut. */
function writeShort(value, digits = 3) {
    if (value === 0) return "0";
    const rounded = Number(value.toPrecision(digits));
    return (rounded < 0 ? MINUS : "") + Math.abs(rounded).toLocaleString("en-US", {maximumFractionDigits: 12});
}

function writeMemory(mb) {
    const size = Math.abs(mb);
    return writeNumber(mb, size >= 1000 || size < 0.005 ? 0 : size < 0.0995 ? 2 : 1) + NARROW + "MB";
}

function writeDuration(seconds) {
    const size = Math.abs(seconds);
    if (size === 0) return "0";
    const [factor, unit] = size < 1e-6 ? [1e9, "ns"] : size < 1e-3 ? [1e6, "µs"] : size < 0.9995 ? [1e3, "ms"] : [1, "s"];
    const scaled = seconds * factor;
    return (Math.abs(scaled) >= 1000 ? writeNumber(scaled, 0) : writeShort(scaled)) + NARROW + unit;
}

function writeBytes(bytes) {
    const [factor, unit] = bytes >= 2 ** 20 ? [2 ** 20, "MiB"] : bytes >= 2 ** 10 ? [2 ** 10, "KiB"] : [1, "B"];
    return writeShort(bytes / factor) + NARROW + unit;
}

/* A quantity with its unit, by the name that the data give it. */
function writeValue(value, unit) {
    if (value === null || value === undefined) return "n/a";
    switch (unit) {
    case "s": return writeDuration(value);
    case "MB": return writeMemory(value);
    case "B": return writeBytes(value);
    case "%": return writeShort(value) + NARROW + "%";
    case "×": return writeShort(value) + "×";
    case "n": return writeNumber(value, 0);
    default: return writeShort(value, 4) + (unit ? NARROW + unit : "");
    }
}

async function unpackText(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
}

const unpacked = new Map();

/* The data behind an id, unpacked once. */
function unpack(id) {
    if (!unpacked.has(id)) unpacked.set(id, unpackText(id).then(JSON.parse));
    return unpacked.get(id);
}

let library = null;

/* ECharts, which is not looked at before a chart is seen: its million letters would delay what is text. */
function loadLibrary() {
    library ??= unpackText("library").then(text => {
        const script = make("script");
        script.textContent = text;
        document.head.append(script);
        if (!window.echarts) throw new Error("the charting library did not start");
        return window.echarts;
    });
    return library;
}

/* Hands a file to the browser. */
function download(name, type, content) {
    const link = make("a", {href: URL.createObjectURL(new Blob([content], {type})), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/* RFC 4180; a field that a spreadsheet would take for a formula gets an apostrophe in front. */
function writeCsv(lines) {
    const field = value => {
        if (value === null || value === undefined) return "";
        const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
        return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return lines.map(line => line.map(field).join(",") + "\r\n").join("");
}

function fileName(text) {
    return text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 100) || "chart";
}
