// The parts of a Grafana host that its libraries ask for: registries, date
// formats, one Prometheus data source, and the way queries are run.
import { from, of } from 'rxjs';
import { catchError, map } from 'rxjs/operators';
import {
  DataSourceApi, FieldType, LoadingState, createTheme, standardEditorsRegistry,
  standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry,
  systemDateFormats, toDataFrame,
} from '@grafana/data';
import { config, setAppEvents, setDataSourceSrv, setRunRequest, setTemplateSrv } from '@grafana/runtime';
import { sceneGraph } from '@grafana/scenes';

const none = () => null;
const option = (path, more = {}) => ({
  id: path, path, name: path, description: '', category: ['Standard options'], settings: {},
  editor: none, override: none, process: (value) => value, shouldApply: () => true, ...more,
});

function legend(format, labels) {
  if (!format || format === '__auto') {
    const { __name__: name = '', ...rest } = labels;
    const inside = Object.entries(rest).map(([k, v]) => `${k}="${v}"`).join(', ');
    return inside ? `${name}{${inside}}` : name || 'Value';
  }
  return format.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, key) => labels[key] ?? '');
}

async function ask(path, params) {
  const answer = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(params)}`);
  const body = await answer.json();
  if (body.status !== 'success') {
    throw new Error(`${body.errorType}: ${body.error}`);
  }
  return body.data;
}

const number = (text) => (text === 'NaN' ? NaN : text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

export class Prometheus extends DataSourceApi {
  query(request) {
    const from_ = request.range.from.unix();
    const to = request.range.to.unix();
    const step = Math.max(1, Math.round(request.intervalMs / 1000));
    const live = request.targets.filter((t) => !t.hide && t.expr);
    const one = async (target) => {
      const expr = request.resolve(target.expr, { from: from_, to, step });
      if (target.instant || target.format === 'table') {
        const { result } = await ask('query', { query: expr, time: to });
        const keys = [...new Set(result.flatMap((s) => Object.keys(s.metric)))].sort();
        if (target.format === 'table') {
          return result.length ? [toDataFrame({
            refId: target.refId,
            fields: [
              { name: 'Time', type: FieldType.time, values: result.map((s) => s.value[0] * 1000) },
              ...keys.map((k) => ({ name: k, type: FieldType.string, values: result.map((s) => s.metric[k] ?? '') })),
              { name: live.length > 1 ? `Value #${target.refId}` : 'Value', type: FieldType.number, values: result.map((s) => number(s.value[1])) },
            ],
          })] : [];
        }
        return result.map((s) => this.frame(target, s.metric, [s.value]));
      }
      const { result } = await ask('query_range', { query: expr, start: from_, end: to, step });
      return result.map((s) => this.frame(target, s.metric, s.values));
    };
    return from(Promise.all(live.map(one))).pipe(map((frames) => ({ data: frames.flat(), state: LoadingState.Done })));
  }

  frame(target, labels, values) {
    const name = legend(target.legendFormat, labels);
    return toDataFrame({
      refId: target.refId,
      name,
      fields: [
        { name: 'Time', type: FieldType.time, values: values.map((v) => v[0] * 1000) },
        { name: 'Value', type: FieldType.number, labels, values: values.map((v) => number(v[1])), config: { displayNameFromDS: name } },
      ],
    });
  }

  async metricFindQuery(query) {
    const text = typeof query === 'string' ? query : query.query;
    const hit = /^\s*label_values\(\s*(?:(.+?)\s*,\s*)?([A-Za-z_]\w*)\s*\)\s*$/s.exec(text ?? '');
    if (!hit) {
      throw new Error(`variable query not understood here: ${text}`);
    }
    const values = await ask(`label/${hit[2]}/values`, hit[1] ? { 'match[]': hit[1] } : {});
    return values.map((value) => ({ text: value }));
  }

  async testDatasource() {
    return { status: 'success', message: '' };
  }
}

function asRegex(value) {
  const escape = (v) => String(v).replace(/[\\^$.*+?()[\]{}|]/g, '\\\\$&');
  return Array.isArray(value) ? `(${value.map(escape).join('|')})` : escape(value);
}

export function installHost(plugins, setPluginImportUtils) {
  config.theme2 = createTheme({ colors: { mode: 'light' } });
  systemDateFormats.update({
    fullDate: 'YYYY-MM-DD HH:mm:ss',
    interval: { millisecond: 'HH:mm:ss.SSS', second: 'HH:mm:ss', minute: 'HH:mm', hour: 'MM/DD HH:mm', day: 'MM/DD', month: 'YYYY-MM', year: 'YYYY' },
    useBrowserLocale: false,
  });
  standardEditorsRegistry.setInit(() => []);
  standardFieldConfigEditorRegistry.setInit(() => [
    ...['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'links', 'filterable', 'fieldMinMax', 'description'].map((p) => option(p)),
    option('color', { defaultValue: { mode: 'palette-classic' } }),
    option('mappings', { defaultValue: [] }),
    option('thresholds', { defaultValue: { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }] } }),
  ]);
  const transformers = new Map(Object.values(standardTransformers).map((t) => [t.id, t])); // two names, one id: keep one
  standardTransformersRegistry.setInit(() => [...transformers.values()].map((t) => ({ id: t.id, name: t.name, editor: none, transformation: async () => t })));

  const settings = {
    id: 1, uid: 'prometheus', name: 'Prometheus', type: 'prometheus', isDefault: true, access: 'proxy', jsonData: {}, readOnly: false,
    meta: { id: 'prometheus', name: 'Prometheus', type: 'datasource', info: { logos: {} }, module: '', baseUrl: '' },
  };
  const traces = { ...settings, id: 2, uid: 'tempo', name: 'Tempo (not here)', type: 'tempo', isDefault: false, meta: { ...settings.meta, id: 'tempo', name: 'Tempo' } };
  const source = new Prometheus(settings);
  source.meta = settings.meta;
  setDataSourceSrv({
    get: async () => source, getInstanceSettings: () => settings, getList: ({ pluginId } = {}) => (pluginId === 'tempo' ? [traces] : [settings]),
    reload() {}, registerRuntimeDataSource() {},
  });
  setTemplateSrv({ replace: (text) => text, getVariables: () => [], containsTemplate: () => false, updateTimeRange() {} });
  setAppEvents({ publish() {}, subscribe: () => ({ unsubscribe() {} }), getStream: () => of() });
  setPluginImportUtils({ importPanelPlugin: async (id) => plugins[id], getPanelPluginFromCache: (id) => plugins[id] });
  setRunRequest((datasource, request) => {
    const scene = request.scopedVars?.__sceneObject?.value?.valueOf();
    request.resolve = (expr, { from: begin, to, step }) => {
      const text = expr
        .replace(/\$__rate_interval|\$\{__rate_interval\}/g, `${Math.max(15, step * 4)}s`)
        .replace(/\$__interval|\$\{__interval\}/g, `${step}s`)
        .replace(/\$__range_s|\$\{__range_s\}/g, `${to - begin}`)
        .replace(/\$__range|\$\{__range\}/g, `${to - begin}s`);
      return scene ? sceneGraph.interpolate(scene, text, undefined, asRegex) : text;
    };
    const wrap = (state, series, more) => ({ state, series, timeRange: request.range, request, ...more });
    return datasource.query(request).pipe(
      map((packet) => wrap(LoadingState.Done, packet.data)),
      catchError((err) => of(wrap(LoadingState.Error, [], { error: { message: String(err.message ?? err) }, errors: [{ message: String(err.message ?? err) }] }))),
    );
  });
  return config.theme2;
}
export { option };
