// Parts with a little state of their own: Alpine's CSP build takes them from here, and charts from JSON in the page.
"use strict";

document.addEventListener("alpine:init", () => {
  // A few letters find a place, a fault or a person; arrows choose, Enter takes, Tab takes the first.
  Alpine.data("picker", () => ({
    open: false,
    found: [],
    at: 0,
    asked: 0,
    timer: 0,
    init() { this.$refs.list.hidden = false; },
    ask() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), 120);
    },
    async look() {
      const turn = ++this.asked;
      const address = new URL(this.$root.dataset.source, location.href);
      address.searchParams.set("q", this.$refs.q.value);
      for (const name of (this.$root.dataset.with || "").split(" ").filter(Boolean)) {
        address.searchParams.set(name, this.$root.closest("form").elements[name]?.value || "");
      }
      let found;
      try {
        const answer = await fetch(address, { headers: { "HX-Request": "true" } });
        if (!answer.ok) throw new Error(String(answer.status));
        found = await answer.json();
      } catch {
        found = null;
      }
      if (turn !== this.asked || document.activeElement !== this.$refs.q) return;
      this.found = found || [];
      this.at = 0;
      this.open = this.found.length > 0 || this.$refs.q.value.trim() !== "";
      this.draw(found === null ? "暂时查不到,请再试" : "没有找到");
    },
    draw(nothing) {
      const list = this.$refs.list;
      list.replaceChildren(...this.found.map((one, index) => {
        const line = document.createElement("li");
        line.setAttribute("role", "option");
        line.className = index === this.at ? "on" : "";
        const words = document.createElement("span");
        words.textContent = one.label;
        const small = document.createElement("small");
        small.textContent = one.hint || one.value;
        line.append(words, small);
        line.addEventListener("mousedown", (event) => { event.preventDefault(); this.take(index); });
        return line;
      }));
      if (!this.found.length) {
        const line = document.createElement("li");
        line.className = "none";
        line.textContent = nothing;
        list.append(line);
      }
      list.children[this.at]?.scrollIntoView({ block: "nearest" });
    },
    take(index) {
      const one = this.found[index];
      if (!one) return;
      this.$refs.value.value = one.value;
      this.$refs.q.value = one.label;
      this.open = false;
      this.$root.classList.remove("bad");
      for (const [name, other] of Object.entries(one.fill || {})) this.fill(name, other);
      this.$refs.value.dispatchEvent(new Event("change", { bubbles: true }));
    },
    fill(name, other) {
      // What was chosen here says what another picker most likely holds; what somebody chose there stays.
      const hidden = this.$root.closest("form").elements[name];
      if (!hidden || hidden.value) return;
      hidden.value = other.value;
      hidden.closest("[data-field]").querySelector("input[type=text]").value = other.label;
    },
    key(event) {
      if (event.isComposing) return;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        this.at = Math.min(this.found.length - 1, Math.max(0, this.at + (event.key === "ArrowDown" ? 1 : -1)));
        this.draw("");
      } else if (event.key === "Enter" && this.open && this.found.length && !event.ctrlKey) {
        event.preventDefault();
        this.take(this.at);
        this.next();
      } else if (event.key === "Tab" && this.open && this.found.length && !this.$refs.value.value) {
        this.take(this.at);
      } else if (event.key === "Escape") {
        this.open = false;
      } else if (event.key.length === 1 || event.key === "Backspace") {
        this.$refs.value.value = "";
      }
    },
    next() {
      const all = [...this.$root.closest("form").querySelectorAll("input:not([type=hidden]), select, textarea, button")];
      all[all.indexOf(this.$refs.q) + 1]?.focus();
    },
    leave() {
      setTimeout(() => { this.open = false; }, 150);
      if (!this.$refs.q.value.trim()) this.$refs.value.value = "";
    },
  }));
});

// <div class="chart" data-chart='{"labels": […], "lines": [{"name", "values"}]}'>
function draw(place) {
  if (!window.echarts || place.dataset.drawn) return;
  place.dataset.drawn = "yes";
  const facts = JSON.parse(place.dataset.chart);
  const chart = echarts.init(place, null, { renderer: "canvas" });
  const font = { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12, color: "#5f6b7a" };
  chart.setOption({
    animation: false,
    textStyle: font,
    color: ["#0f766e", "#d97706", "#2563eb", "#dc2626"],
    grid: { left: 8, right: 12, top: 34, bottom: 4, containLabel: true },
    legend: { top: 0, right: 0, itemHeight: 8, textStyle: font },
    tooltip: { trigger: "axis", renderMode: "richText" },  // the HTML kind writes style attributes, which the CSP refuses
    xAxis: { type: "category", boundaryGap: false, data: facts.labels, axisTick: { show: false }, axisLine: { lineStyle: { color: "#d3dae1" } }, axisLabel: font },
    yAxis: { type: "value", minInterval: 1, splitLine: { lineStyle: { color: "#eef1f4" } }, axisLabel: font },
    series: facts.lines.map((line) => ({
      name: line.name, data: line.values, type: "line", smooth: 0.2, symbol: "none", lineStyle: { width: 2 }, areaStyle: { opacity: 0.07 },
    })),
  });
  new ResizeObserver(() => chart.resize()).observe(place);
}
const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);
addEventListener("DOMContentLoaded", drawAll);
document.addEventListener("htmx:afterSettle", drawAll);
