/** A chart on a canvas. Whoever cannot see it has the table that goes with it. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { stack, tickStep, untilNow, type ChartData } from "./chart_data";
import { formatNumber, formatTick } from "./days";

const TICK_WIDTH = 70;
/** Narrower than this, in pixels, bars would be a blur: areas take their place, whose peaks uPlot keeps in any width. */
const MIN_BAR_WIDTH = 5;
/** With more periods than this, a dot for each would hide the line. */
const MAX_DOTS = 62;

interface ChartProps {
  data: ChartData;
  /** The colours are read again when it changes. */
  theme: string;
  now: number;
  /** The period under the pointer. */
  onPoint(at: number | undefined): void;
}

/** One series as a line, several as stacked bars. */
export function Chart({ data, theme, now, onPoint }: ChartProps) {
  const root = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  // What uPlot asks for while it draws: it is made once, and drawn with the latest data.
  const latest = useRef({ data, onPoint });
  latest.current = { data, onPoint };
  const names = data.series.map((series) => series.className).join(" ");

  useLayoutEffect(() => {
    const element = root.current;
    if (!element) return;
    const colour = (className: string, property: "color" | "borderColor" = "color") => {
      const probe = element.getElementsByClassName(className)[0] ?? element;
      return getComputedStyle(probe)[property];
    };
    const chart = new uPlot(options(element, () => latest.current, colour), [[], ...latest.current.data.series.map(() => [])], element);
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize(sizeOf(element)));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [names]);

  useLayoutEffect(() => {
    const drawn = stack(data.series).map((values) => untilNow(values, data.starts, now));
    plot.current?.setData([data.starts.map((_, at) => at), ...drawn]);
    // `now` moves with every drawing; it is read when there are new numbers.
  }, [data, names]);

  useEffect(() => plot.current?.redraw(false, true), [theme]);

  return (
    <div class="canvas" ref={root} aria-hidden="true">
      <span class="axis-colours" />
      {data.series.map((series) => <span key={series.className} class={`swatch ${series.className}`} hidden />)}
    </div>
  );
}

type Colour = (className: string, property?: "color" | "borderColor") => string;

function options(element: HTMLElement, latest: () => Pick<ChartProps, "data" | "onPoint">, colour: Colour): uPlot.Options {
  const { series } = latest().data;
  const stacked = series.length > 1;
  const periods = () => latest().data.starts.length;
  const bars = uPlot.paths.bars!({ size: [0.75, 48], radius: 0.08 });
  const line = uPlot.paths.linear!();
  const inBars = (u: uPlot) => stacked && u.bbox.width / devicePixelRatio / periods() >= MIN_BAR_WIDTH;
  const axis = {
    stroke: () => colour("axis-colours"),
    grid: { stroke: () => colour("axis-colours", "borderColor"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };

  return {
    ...sizeOf(element),
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: false, y: false },
      y: false,
      points: { show: !stacked, size: 8 },
    },
    scales: {
      // Periods stand at their index, for they are equally many pixels apart and no time zone comes in.
      x: { time: false, range: () => [-0.5, Math.max(periods() - 0.5, 0.5)] },
      y: { range: (_u, _min, max) => [0, Math.max(4, max * 1.05)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 28,
        splits: (u) => {
          const { starts, grain } = latest().data;
          const step = tickStep(starts.length, u.bbox.width / devicePixelRatio / TICK_WIDTH, grain);
          return starts.map((_, at) => at).filter((at) => at % step === 0);
        },
        values: (_u, splits) => {
          const { starts, grain } = latest().data;
          return splits.map((at) => formatTick(starts[at] ?? NaN, grain));
        },
      },
      {
        ...axis,
        size: 52,
        // People come in whole numbers.
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7],
        values: (_u, splits) => splits.map(formatNumber),
      },
    ],
    series: [
      {},
      ...series.map(({ className }): uPlot.Series => ({
        // Bars have no outline: that of an empty one would be a line.
        stroke: (u) => (inBars(u) ? "transparent" : colour(className)),
        fill: () => (stacked ? colour(className) : translucent(colour(className))),
        width: stacked ? 1 : 2,
        paths: (u, at, from, to) => (inBars(u) ? bars : line)(u, at, from, to),
        points: { show: () => !stacked && periods() <= MAX_DOTS, size: 5, fill: () => colour(className) },
      })),
    ],
    hooks: {
      setCursor: [(u) => latest().onPoint(u.cursor.idx ?? undefined)],
    },
  };
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: element.clientWidth, height: element.clientHeight };
}

/** A computed colour is `rgb(…)`. */
function translucent(colour: string): string {
  return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.14)");
}
