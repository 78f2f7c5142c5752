// The panel: faults, clock, keys, the list of calls.
import { $, get, h, post } from './phone/dom.js'

let kinds = []
let shown = ''
const NAMES = { official: '公众号', mini: '小程序', wecom: '企业微信应用', wecom_contacts: '企业微信通讯录' }

const complain = (error) => { $('health').textContent = error.message }

function drawKinds(list) {
  if (kinds.length) return
  kinds = list
  $('kind').replaceChildren(...kinds.map((k) => h('option', { value: k.kind }, k.what)))
  drawArgs()
}

function drawArgs() {
  const kind = kinds.find((k) => k.kind === $('kind').value)
  $('route').placeholder = kind.route
  $('args').replaceChildren(...Object.entries(kind.args).map(([name, value]) =>
    h('label', {}, name, h('input', { name: `arg-${name}`, value, 'data-number': typeof value === 'number' && '1' }))))
}

function drawFaults(list) {
  const rows = list.map((f) => h('tr', {}, h('td', {}, f.what, ' ', h('code', {}, f.kind)), h('td', { class: 'path' }, f.route),
    h('td', {}, f.remaining === null ? (f.probability < 1 ? `概率 ${f.probability}` : '一直') : String(f.remaining)), h('td', {}, String(f.hits)),
    h('td', {}, h('button', { type: 'button', onclick: () => remove(`?id=${f.id}`) }, '关闭'))))
  $('faults').tBodies[0].replaceChildren(...(rows.length ? rows : [h('tr', {}, h('td', { class: 'none', colspan: 5 }, '没有故障，一切照常'))]))
}

async function remove(query) {
  await fetch(`/control/faults${query}`, { method: 'DELETE' }).catch(complain)
  tick()
}

function drawAccounts(state) {
  const stamp = JSON.stringify(state.accounts)
  if (stamp === shown) return
  shown = stamp
  $('accounts').replaceChildren(...state.accounts.map((a) => {
    const verdict = h('span', { class: 'verdict' })
    const change = (path, body) => post(path, { account: a.name, ...body }).then(tick).catch(complain)
    const verify = () => post('/verify', { account: a.name }).then((r) => {
      verdict.textContent = r.ok ? '验证通过' : `未通过：${r.why}`
      verdict.classList.toggle('bad', !r.ok)
    }).catch(complain)
    const modes = h('select', { 'aria-label': '消息加解密方式', onchange: (e) => change('/mode', { mode: e.target.value }) },
      [['plain', '明文'], ['compat', '兼容'], ['secure', '安全']].map(([v, t]) => h('option', { value: v, selected: v === a.mode }, t)))
    const formats = h('select', { 'aria-label': '数据格式', onchange: (e) => change('/mode', { format: e.target.value }) },
      ['xml', 'json'].map((v) => h('option', { value: v, selected: v === a.format }, v.toUpperCase())))
    const wecom = a.name.startsWith('wecom')
    return h('div', { class: 'account' }, h('h3', {}, NAMES[a.name] || a.name),
      h('p', {}, h('code', {}, a.app_id)), h('p', {}, '回调 ', h('code', {}, a.callback)),
      h('p', {}, 'token ', h('code', {}, a.token)), h('p', {}, 'aes_key ', h('code', {}, a.aes_key)),
      a.previous ? h('p', { class: 'old' }, '之前：', h('code', {}, `${a.previous.token} / ${a.previous.aes_key}`)) : null,
      h('div', { class: 'row' }, wecom ? null : modes, wecom ? null : formats,
        h('button', { type: 'button', onclick: verify }, '验证 URL'), h('button', { type: 'button', onclick: () => change('/rotate', {}) }, '更换密钥')), verdict)
  }))
}

function drawCalls(calls) {
  if ($('f-hold').checked) return
  const open = new Set([...document.querySelectorAll('tr.more')].map((x) => x.dataset.seq))
  $('calls').tBodies[0].replaceChildren(...calls.reverse().flatMap((c) => {
    const out = c.direction === 'out'
    const failed = out ? typeof c.response === 'string' && c.response && c.response !== 'success' : c.errcode || c.status >= 400 || !c.status
    const result = out ? (typeof c.response === 'string' && c.response) || `HTTP ${c.status}` : c.errcode ? `errcode ${c.errcode}` : c.status ? `HTTP ${c.status}` : '没有回答'
    const more = h('tr', { class: 'more', 'data-seq': c.seq }, h('td', { colspan: 6 },
      h('pre', {}, JSON.stringify({ query: c.query, attempt: c.attempt, request: c.request, response: c.response }, null, 2))))
    const row = h('tr', { class: `call${failed ? ' bad' : ''}`, onclick: () => (more.isConnected ? more.remove() : row.after(more)) },
      h('td', {}, new Date(c.at * 1000).toLocaleTimeString('zh-CN', { timeZone: 'Asia/Shanghai', hour12: false })), h('td', {}, out ? '推送 →' : '← 调用'),
      h('td', { class: 'path' }, `${c.method} ${c.path}`), h('td', {}, String(result).slice(0, 60)), h('td', {}, String(c.ms)), h('td', {}, (c.faults || []).join(' ')))
    return open.has(String(c.seq)) ? [row, more] : [row]
  }))
}

async function tick() {
  try {
    const query = new URLSearchParams({ limit: 60, direction: $('f-direction').value, path: $('f-path').value })
    const [state, faults, calls] = await Promise.all([get('/state'), get('/faults'), get(`/calls?${query}`)])
    drawKinds(faults.kinds)
    drawFaults(faults.faults)
    drawAccounts(state)
    drawCalls(calls.calls)
    $('now').textContent = new Date(state.now * 1000).toLocaleString('zh-CN', { timeZone: 'Asia/Shanghai', hour12: false })
    $('offset').textContent = state.offset_s ? `比真实时间${state.offset_s > 0 ? '快' : '慢'} ${Math.abs(state.offset_s)} 秒` : '与真实时间一致'
    const counted = Object.entries(state.counters).filter(([name]) => name !== 'seq')
    $('counters').replaceChildren(...(counted.length ? counted.flatMap(([name, n]) => [h('dt', {}, name), h('dd', {}, String(n))]) : [h('dt', {}, '还没有')]))
    $('health').textContent = `种子 ${state.seed}`
  } catch (error) { complain(error) }
}

$('kind').addEventListener('change', drawArgs)
$('add').addEventListener('submit', async (event) => {
  event.preventDefault()
  const form = new FormData(event.target)
  const body = { kind: form.get('kind') }
  if (form.get('route')) body.route = form.get('route')
  if (form.get('count')) body.count = Number(form.get('count'))
  if (form.get('probability')) body.probability = Number(form.get('probability'))
  for (const input of $('args').querySelectorAll('input')) body[input.name.slice(4)] = input.dataset.number ? Number(input.value) : input.value
  await post('/faults', body).catch(complain)
  tick()
})
$('clear').addEventListener('click', () => remove(''))
document.querySelectorAll('[data-advance]').forEach((b) => b.addEventListener('click', () => post('/clock', { advance_s: Number(b.dataset.advance) }).then(tick).catch(complain)))
document.querySelector('[data-reset]').addEventListener('click', () => post('/clock', { offset_s: 0 }).then(tick).catch(complain))
for (const id of ['f-direction', 'f-path']) $(id).addEventListener('input', tick)
tick()
setInterval(tick, 1500)
