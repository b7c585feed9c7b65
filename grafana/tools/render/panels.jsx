// Panel plug-ins built on @grafana/ui. Grafana's own panel plug-ins are not on a
// package registry; these draw with the same components and field settings.
import { PanelPlugin, getFieldDisplayValues, renderMarkdown } from '@grafana/data';
import { BarGauge, BigValue, Table, TimeSeries } from '@grafana/ui';
import { config } from '@grafana/runtime';
import { option } from './host.js';
import { Gauges, Heat, Timeline } from './svg.jsx';

const lines = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, lineStyle: { fill: 'solid' }, fillOpacity: 0, gradientMode: 'none',
  fillBelowTo: undefined, lineColor: undefined, fillColor: undefined, pointColor: undefined, transform: undefined,
  showPoints: 'auto', pointSize: 5, spanNulls: false, insertNulls: false, barAlignment: 0, barWidthFactor: 0.6, barMaxWidth: 200,
  stacking: { mode: 'none', group: 'A' }, axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text', axisBorderShow: false,
  axisCenteredZero: false, axisGridShow: undefined, axisWidth: undefined, axisSoftMin: undefined, axisSoftMax: undefined,
  scaleDistribution: { type: 'linear' }, hideFrom: { tooltip: false, viz: false, legend: false }, thresholdsStyle: { mode: 'off' },
};

const nothing = (props) => <div style={{ padding: 8, opacity: 0.7 }}>{props.fieldConfig.defaults.noValue ?? 'No data'}</div>;

function display(props) {
  const { fieldConfig, options, replaceVariables, data, timeZone } = props;
  return getFieldDisplayValues({
    fieldConfig, replaceVariables, timeZone, data: data.series, theme: config.theme2, sparkline: options.graphMode === 'area',
    reduceOptions: { calcs: ['lastNotNull'], values: false, ...options.reduceOptions },
  });
}

function Series(props) {
  const { data, options, ...rest } = props;
  if (!data.series.length) {
    return nothing(props);
  }
  return (
    <TimeSeries frames={data.series} structureRev={data.structureRev} timeRange={rest.timeRange} timeZone={rest.timeZone}
      width={rest.width} height={rest.height} options={options}
      legend={{ displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [], ...options.legend }} />
  );
}

function Stat(props) {
  const all = display(props);
  if (!props.data.series.length) {
    return nothing(props);
  }
  return (
    <div style={{ display: 'flex' }}>
      {all.map((v, i) => (
        <BigValue key={i} value={v.display} width={props.width / all.length} height={props.height} theme={config.theme2}
          colorMode={props.options.colorMode} graphMode={v.sparkline?.y?.values?.length > 1 ? props.options.graphMode : 'none'}
          sparkline={v.sparkline} textMode={props.options.textMode} count={all.length} />
      ))}
    </div>
  );
}

function Bars(props) {
  if (!props.data.series.length) {
    return nothing(props);
  }
  const all = display(props);
  const alignmentFactors = all.reduce((most, v) => ({
    title: v.display.title?.length > most.title.length ? v.display.title : most.title,
    text: v.display.text.length > most.text.length ? v.display.text : most.text,
    prefix: v.display.prefix, suffix: v.display.suffix,
  }), { title: '', text: '' });
  const most = Math.max(...all.map((v) => v.display.numeric));
  const height = Math.min(props.height / all.length - 4, 44);
  return (
    <div style={{ display: 'flex', flexDirection: 'column', gap: 4 }}>
      {all.map((v, i) => (
        <BarGauge key={i} value={v.display} field={{ ...v.field, max: v.field.max ?? most }} theme={config.theme2} width={props.width} height={height}
          orientation="horizontal" displayMode={props.options.displayMode ?? 'gradient'} valueDisplayMode={props.options.valueMode}
          namePlacement={props.options.namePlacement} showUnfilled={props.options.showUnfilled} text={props.options.text} alignmentFactors={alignmentFactors} />
      ))}
    </div>
  );
}

function Dials(props) {
  const all = display(props).map((v) => ({ ...v, name: v.display.title }));
  return props.data.series.length ? <Gauges all={all} width={props.width} height={props.height} /> : nothing(props);
}

function Grid(props) {
  const frame = props.data.series[0];
  return frame?.length ? <Table data={frame} width={props.width} height={props.height} /> : nothing(props);
}

function Text(props) {
  const { mode, content } = props.options;
  if (mode === 'markdown') {
    return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: renderMarkdown(content) }} />;
  }
  return <div style={{ whiteSpace: 'pre-wrap', fontSize: 12, opacity: 0.75 }}>{content}</div>;
}

const over = (Component, more) => (props) => (props.data.series.length ? <Component {...props} {...more} /> : nothing(props));

function plugin(id, component, custom) {
  const made = new PanelPlugin(component);
  made.meta = { id, name: id, type: 'panel', sort: 1, module: '', baseUrl: '', info: { version: '1.0.0', logos: {} }, skipDataQuery: id === 'text' };
  made.useFieldConfig(custom ? {
    useCustomConfig: (builder) => {
      for (const [path, defaultValue] of Object.entries(custom)) {
        builder.addCustomEditor({ ...option(path), category: [id], defaultValue });
      }
    },
  } : {});
  return made;
}

export const plugins = {
  timeseries: plugin('timeseries', Series, lines),
  stat: plugin('stat', Stat),
  gauge: plugin('gauge', Dials),
  bargauge: plugin('bargauge', Bars),
  heatmap: plugin('heatmap', over(Heat)),
  'status-history': plugin('status-history', over(Timeline, { join: false })),
  'state-timeline': plugin('state-timeline', over(Timeline, { join: true })),
  table: plugin('table', Grid, { align: 'auto', minWidth: 60, cellOptions: { type: 'auto' }, inspect: false, width: undefined, filterable: false, hidden: false }),
  text: plugin('text', Text),
};
