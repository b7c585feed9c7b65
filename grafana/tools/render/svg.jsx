// Panels whose components are not on a package registry, drawn as SVG: gauge, heat map, status history, state timeline.
// Values, names, units and colours come from Grafana's own field settings.
import { FieldType, dateTimeFormat, getValueFormat, formattedValueToString } from '@grafana/data';
import { config } from '@grafana/runtime';

const ink = () => config.theme2.colors.text.primary;
const pale = () => config.theme2.colors.border.weak;
const SMALL = { fontSize: 11, fontFamily: 'Inter, Helvetica, Arial, sans-serif' };

// --- gauge

function arc(x, y, r, begin, end) {
  const at = (share) => [x + r * Math.cos(Math.PI * (1 + share)), y + r * Math.sin(Math.PI * (1 + share))];
  const [x0, y0] = at(begin);
  const [x1, y1] = at(end);
  return `M ${x0} ${y0} A ${r} ${r} 0 0 1 ${x1} ${y1}`;
}

export function Gauges({ all, width, height }) {
  const wide = width / Math.max(1, all.length);
  const r = Math.max(10, Math.min(wide * 0.42, height - 44));
  return (
    <svg width={width} height={height}>
      {all.map(({ display, field, name }, i) => {
        const x = wide * (i + 0.5);
        const y = Math.min(height - 26, r + 12);
        const low = field.min ?? 0;
        const high = field.max ?? 100;
        const share = (value) => Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
        const steps = field.thresholds?.steps ?? [];
        return (
          <g key={i}>
            <path d={arc(x, y, r, 0, 1)} stroke={pale()} strokeWidth={r / 4} fill="none" />
            {share(display.numeric) > 0 && (
              <path d={arc(x, y, r, 0, share(display.numeric))} stroke={display.color} strokeWidth={r / 4} fill="none" />
            )}
            {steps.map((step, n) => (
              <path key={n} fill="none" strokeWidth={3} stroke={config.theme2.visualization.getColorByName(step.color)}
                d={arc(x, y, r + r / 8 + 4, share(step.value ?? -Infinity), share(steps[n + 1]?.value ?? Infinity))} />
            ))}
            <text x={x} y={y - 4} textAnchor="middle" fill={display.color} style={{ ...SMALL, fontSize: r / 2.6, fontWeight: 500 }}>
              {formattedValueToString(display)}
            </text>
            <text x={x} y={y + 18} textAnchor="middle" fill={ink()} style={SMALL}>{short(name || display.title || '', wide / 6.2)}</text>
          </g>
        );
      })}
    </svg>
  );
}

const short = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text);

// --- cells over time

function axis(range, left, wide, y) {
  const count = Math.max(2, Math.floor(wide / 110));
  return Array.from({ length: count + 1 }, (_, i) => {
    const at = range.from.valueOf() + ((range.to.valueOf() - range.from.valueOf()) * i) / count;
    return (
      <text key={i} x={left + (wide * i) / count} y={y} textAnchor="middle" fill={ink()} style={SMALL}>
        {dateTimeFormat(at, { format: 'HH:mm', timeZone: 'utc' })}
      </text>
    );
  });
}

function Cells({ rows, range, width, height, gap = 1, left, merge = false }) {
  const foot = 20;
  const wide = width - left - 12;
  const tall = (height - foot) / Math.max(1, rows.length);
  const begin = range.from.valueOf();
  const scale = wide / (range.to.valueOf() - begin);
  return (
    <svg width={width} height={height}>
      {rows.map((row, n) => {
        const y = n * tall;
        return (
          <g key={n}>
            <text x={left - 6} y={y + tall / 2 + 4} textAnchor="end" fill={ink()} style={SMALL}>{short(row.name, left / 6.2)}</text>
            {row.cells.map(({ from, to, color, text }, i) => {
              const x = left + Math.max(0, (from - begin) * scale);
              const w = Math.max(0.5, (to - from) * scale - (merge ? 0 : gap));
              return color && (
                <g key={i}>
                  <rect x={x} y={y + tall * 0.05} width={w} height={Math.max(1, tall * 0.9)} fill={color} />
                  {text && w > 7 * text.length && (
                    <text x={x + 6} y={y + tall / 2 + 4} fill="#fff" style={SMALL}>{text}</text>
                  )}
                </g>
              );
            })}
          </g>
        );
      })}
      {axis(range, left, wide, height - 6)}
    </svg>
  );
}

const valueField = (frame) => frame.fields.find((f) => f.type === FieldType.number);
const times = (frame) => frame.fields.find((f) => f.type === FieldType.time).values;
const stepOf = (all) => all.slice(1).reduce((least, t, i) => Math.min(least, t - all[i]), Infinity);

function nameOf(frame) {
  const field = valueField(frame);
  return field.config.displayName ?? field.config.displayNameFromDS ?? frame.name ?? '';
}

function bands(frame) {
  const field = valueField(frame);
  const at = times(frame);
  const wide = Number.isFinite(stepOf(at)) ? stepOf(at) : 60_000;
  return at.map((t, i) => {
    const shown = field.display(field.values[i]);
    return { from: t, to: t + wide, color: shown.color, text: formattedValueToString(shown) };
  });
}

function merged(cells) {
  const out = [];
  for (const cell of cells) {
    const last = out.at(-1);
    if (last && last.color === cell.color && cell.from <= last.to + 1) {
      last.to = cell.to;
    } else {
      out.push({ ...cell });
    }
  }
  return out;
}

export function Timeline({ data, width, height, timeRange, join }) {
  const rows = data.series.map((frame) => ({ name: nameOf(frame), cells: join ? merged(bands(frame)) : bands(frame) }));
  const left = Math.min(width / 3, 14 + 6.4 * Math.max(...rows.map((r) => r.name.length)));
  return <Cells rows={rows} range={timeRange} width={width} height={height} left={left} merge={join} />;
}

// A heat map of a histogram: series by `le`, cumulative, so each is less the one below it.
export function Heat({ data, width, height, timeRange, options }) {
  const bound = (frame) => Number((valueField(frame).labels?.le ?? nameOf(frame)).replace('+Inf', 'Infinity'));
  const format = getValueFormat(options.yAxis?.unit ?? 'short');
  const series = [...data.series].sort((a, b) => bound(a) - bound(b));
  const counts = series.map((frame, n) => {
    const below = n ? new Map(times(series[n - 1]).map((t, i) => [t, valueField(series[n - 1]).values[i]])) : new Map();
    return times(frame).map((t, i) => [t, Math.max(0, valueField(frame).values[i] - (below.get(t) ?? 0))]);
  });
  const used = counts.map((row) => row.some(([, n]) => n > 0));
  const first = used.indexOf(true);
  const last = used.lastIndexOf(true);
  const most = Math.max(1e-12, ...counts.flat().map(([, n]) => n));
  const rows = series.map((frame, n) => ({
    name: bound(frame) === Infinity ? '+Inf' : formattedValueToString(format(bound(frame))),
    cells: counts[n].map(([t, count]) => ({ from: t, to: t + stepOf(times(frame)), color: count > 0 ? blue(count / most) : null })),
  })).slice(first, last + 1).reverse();
  return <Cells rows={rows} range={timeRange} width={width} height={height} left={64} gap={0.5} />;
}

function blue(share) {
  const s = Math.sqrt(share);
  const mix = (a, b) => Math.round(a + (b - a) * s);
  return `rgb(${mix(222, 8)},${mix(235, 48)},${mix(247, 107)})`;
}
