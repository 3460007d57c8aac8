/*
 * The table of cells: sorted by its headers, filtered by words, workload, row and status. It is sorted within each experiment,
 * since rows of different ones are not compared, or as one list where a reader wants that.
 */
function startTable() {
    const table = document.getElementById("table"), form = document.getElementById("filter"), count = document.getElementById("filter-count");
    const bodies = [...table.tBodies];
    const cells = bodies.flatMap(body => [...body.querySelectorAll("tr.cell")].map((row, place) => ({row, body, place, group: body.querySelector("tr.group").textContent,
        workload: body.dataset.workload, text: `${row.textContent} ${body.querySelector("tr.group").textContent}`.toLowerCase()})));
    const flat = make("tbody", {hidden: true});
    table.append(flat);
    const input = name => document.getElementById(`filter-${name}`);
    let sorted = null; // [column, 1 or -1]

    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
        const title = header.textContent;
        header.replaceChildren(make("button", {type: "button", onclick: () => sort(column)}, title));
        header.setAttribute("aria-sort", "none");
    });

    /* A value to sort by: a number, else the text; what has none comes last in both directions. */
    function key(cell, column) {
        const field = cell.row.cells[column];
        if (field.dataset.sort !== undefined) return Number(field.dataset.sort);
        return column > 1 && column < headers.length - 1 ? null : field.textContent.trim().toLowerCase();
    }

    function compare(a, b) {
        if (!sorted) return cells.indexOf(a) - cells.indexOf(b);
        const [column, direction] = sorted, one = key(a, column), other = key(b, column);
        if (one === null || other === null) return (one === null) - (other === null) || cells.indexOf(a) - cells.indexOf(b);
        const order = typeof one === "number" ? one - other : one.localeCompare(other);
        return direction * order || cells.indexOf(a) - cells.indexOf(b);
    }

    function sort(column) {
        const direction = sorted?.[0] === column ? -sorted[1] : 1;
        sorted = sorted?.[0] === column && sorted[1] === -1 ? null : [column, direction];
        headers.forEach((header, at) => header.setAttribute("aria-sort", sorted?.[0] !== at ? "none" : sorted[1] > 0 ? "ascending" : "descending"));
        arrange();
    }

    function arrange() {
        const isFlat = input("flat").checked;
        flat.hidden = !isFlat;
        for (const cell of [...cells].sort(compare)) {
            const opened = cell.row.nextElementSibling?.classList.contains("samples") ? cell.row.nextElementSibling : null;
            (isFlat ? flat : cell.body).append(cell.row, ...(opened ? [opened] : []));
            cell.row.querySelector(".where")?.remove();
            if (isFlat) cell.row.cells[0].append(make("small", {class: "where"}, cell.group.replace(/ · charts$/, "")));
        }
        filter();
    }

    function filter() {
        const wanted = input("text").value.toLowerCase().split(/\s+/).filter(Boolean), isFlat = input("flat").checked;
        let shown = 0;
        for (const cell of cells) {
            const fits = wanted.every(word => cell.text.includes(word)) && ["workload", "allocator", "status"].every(name => {
                const value = input(name).value;
                return !value || (name === "workload" ? cell.workload : cell.row.dataset[name]) === value;
            });
            cell.row.hidden = !fits;
            if (cell.row.nextElementSibling?.classList.contains("samples")) cell.row.nextElementSibling.hidden = !fits;
            shown += fits;
        }
        for (const body of bodies) body.hidden = isFlat || ![...body.querySelectorAll("tr.cell")].some(row => !row.hidden);
        count.textContent = `${shown} of ${cells.length} cells`;
    }

    form.hidden = false;
    for (const kind of ["input", "change"]) form.addEventListener(kind, event => event.target === input("flat") ? arrange() : filter());
    form.addEventListener("submit", event => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(arrange));
    filter();
}
