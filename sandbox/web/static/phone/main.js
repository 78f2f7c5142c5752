// The phone: whose it is, what it shows, what arrives.
import { line } from './cards.js'
import { $, get, h, icon, toast } from './dom.js'
import * as mini from './mini.js'
import * as says from './says.js'
import { closeSheet, pickDoor } from './sheets.js'

const APPS = [['official', '公众号', 'chat'], ['mini', '小程序', 'mini'], ['service', '服务通知', 'bell'], ['wecom', '企业微信', 'work'], ['sms', '短信', 'sms']]
const feed = []
const cardState = new Map()
const unread = new Map() // person/app → number
let state = null
let since = 0
let key = localStorage.getItem('sandbox-person') || ''
let app = 'official'
let waiting = new Map()
let ticking = null

const person = () => state.people.find((p) => p.key === key) || state.people[0]
const context = { state: () => state, person, open, show, refresh: () => tick(true) }

function open({ url, page }) {
  if (page !== undefined) {
    show('mini')
    mini.openPage(page)
    return
  }
  let to
  try { to = new URL(url, state.service_url) } catch { toast('打不开这个地址'); return }
  const ours = [state.service_url, state.service_url.replace('127.0.0.1', 'localhost'), state.service_url.replace('localhost', '127.0.0.1'), location.origin]
  if (!ours.some((base) => to.origin === new URL(base).origin)) {
    window.open(to.href, '_blank', 'noopener')
    return
  }
  if (to.pathname.startsWith('/m/') && to.origin !== location.origin) {
    to.searchParams.set('as', person().key)
    // What a page reads off the user agent in the real apps, and cannot here
    if (!to.searchParams.has('via')) to.searchParams.set('via', app === 'wecom' ? 'wecom' : 'official')
  }
  $('web-title').textContent = to.pathname.startsWith('/m/') ? '后勤通' : to.host
  const frame = h('iframe', { src: to.href, title: '网页' })
  $('web-frame').replaceChildren(frame)
  $('web').hidden = false
}

function closeWeb() {
  $('web').hidden = true
  $('web-frame').replaceChildren()
}

function show(name) {
  app = name
  closeWeb()
  for (const [one] of APPS) $(`app-${one}`).hidden = one !== name
  unread.delete(`${person().key}/${name}`)
  if (name === 'mini' && !mini.isOpenFor(person().key)) mini.openPage('')
  drawDock()
  scrollDown(name)
}

const scrollDown = (name) => {
  const list = $(`talk-${name}`)
  if (!list) return
  const down = () => { list.scrollTop = list.scrollHeight }
  down()
  requestAnimationFrame(down)
  list.querySelectorAll('img').forEach((img) => img.complete || img.addEventListener('load', down, { once: true }))
}

function drawDock() {
  $('dock').replaceChildren(...APPS.map(([name, label, picture]) => {
    const n = unread.get(`${person().key}/${name}`) || 0
    return h('button', { type: 'button', class: name === app ? 'on' : '', 'aria-current': name === app && 'page', onclick: () => show(name) },
      icon(picture), h('span', {}, label), n ? h('b', { class: 'badge', 'aria-label': `${n} 条未读` }, String(n)) : null)
  }))
}

function drawPeople() {
  const total = (p) => APPS.reduce((sum, [name]) => sum + (unread.get(`${p.key}/${name}`) || 0), 0)
  const kinds = { student: '学生', worker: '维修工', staff: '教工', driver: '司机' }
  $('people').replaceChildren(...state.people.map((p) => h('button', { type: 'button', class: p.key === person().key ? 'on' : '', 'aria-pressed': String(p.key === person().key), onclick: () => become(p.key) },
    h('span', { class: 'face', 'data-key': p.key }, p.name.slice(0, 1)),
    h('span', { class: 'who' }, h('b', {}, p.name), h('small', {}, `${kinds[p.kind] || p.kind} ${p.campus_no}`)),
    total(p) ? h('b', { class: 'badge' }, String(total(p))) : null)))
  const select = $('whose')
  if (select.options.length !== state.people.length) {
    select.replaceChildren(...state.people.map((p) => h('option', { value: p.key }, `${p.name}的手机`)))
  }
  select.value = person().key
}

async function become(name) {
  key = name
  localStorage.setItem('sandbox-person', name)
  await fetch(`/be/${encodeURIComponent(name)}`, { method: 'POST' })
  closeSheet()
  mini.close()
  redrawAll()
  show(app === 'mini' ? 'official' : app)
}

const act = {
  open,
  state: (id) => cardState.get(`${person().key}/${id}`),
  tap: (msg_id, button, selected) => says.does(context, 'wecom_card', { msg_id, key: button, selected }),
}

function append(item) {
  const list = $(`talk-${item.app}`)
  const el = list && line(item, act)
  if (!el) return
  const near = list.scrollHeight - list.scrollTop - list.clientHeight < 160
  list.append(el)
  if (near || item.direction === 'out') scrollDown(item.app)
}

function redrawAll() {
  for (const [name] of APPS) $(`talk-${name}`)?.replaceChildren()
  waiting = new Map()
  feed.filter((item) => item.person === person().key).forEach(append)
  for (const [name, words] of [['service', '还没有服务通知'], ['sms', '还没有短信'], ['official', ''], ['wecom', '']]) $(`talk-${name}`).dataset.empty = words
  drawState()
  drawDock()
}

function drawState() {
  drawPeople()
  const follow = $('follow')
  follow.textContent = person().follows ? '已关注' : '未关注'
  follow.classList.toggle('on', Boolean(person().follows))
  says.draw(context, 'official')
  says.draw(context, 'wecom')
  $('time').textContent = new Date(state.now * 1000).toLocaleTimeString('zh-CN', { hour: '2-digit', minute: '2-digit', timeZone: 'Asia/Shanghai' })
}

function arrived(item, first) {
  if (item.direction === 'state' && item.kind === 'waiting') {
    waiting.set(item.person, item.body.for)
    return
  }
  if (item.direction === 'state' && item.kind === 'card_changed') {
    cardState.set(`${item.person}/${item.body.msg_id}`, item.body.replace_name || item.body.card?.replace_text || '已更新')
    if (item.person === person().key && !first) redrawAll()
    return
  }
  if (item.direction === 'in') waiting.delete(item.person)
  feed.push(item)
  if (first) return
  const here = item.person === person().key
  if (here) append(item)
  if (item.direction === 'in' && !(here && item.app === app && !document.hidden)) {
    const at = `${item.person}/${item.app}`
    unread.set(at, (unread.get(at) || 0) + 1)
  }
}

function drawWire(calls) {
  const list = $('wire')
  for (const c of calls) {
    const bad = c.errcode || c.status >= 400 || c.status === 0 || (c.direction === 'out' && typeof c.response === 'string' && !['', 'success'].includes(c.response))
    const path = c.direction === 'out' ? new URL(c.path).pathname : c.path
    list.prepend(h('li', { class: bad ? 'bad' : '' }, h('span', { class: 'way' }, c.direction === 'out' ? '推送' : '调用'),
      h('code', {}, path), h('small', {}, `${c.errcode || c.status || '无应答'} · ${c.ms} ms`)))
  }
  while (list.children.length > 30) list.lastChild.remove()
}

let wireSince = 0
async function tick(now = false) {
  clearTimeout(ticking)
  try {
    const first = state === null
    const [next, news] = await Promise.all([get('/state'), get(`/pushes?all=1&since=${since}&limit=400`)])
    state = next
    if (first && !person()) throw new Error('sandbox.toml 里没有人')
    for (const item of news.pushes) {
      if (item.id <= since) continue // two looks were under way at once, and the other one had it first
      since = item.id
      arrived(item, first)
    }
    if (first) {
      await fetch(`/be/${encodeURIComponent(person().key)}`, { method: 'POST' })
      mini.setUp(context)
      redrawAll()
      show('official')
    } else {
      drawState()
      if (news.pushes.length) drawDock()
    }
    $('talk-official').classList.toggle('waits', Boolean(waiting.get(person().key)))
    if (getComputedStyle($('wire').parentElement).display !== 'none') {
      const { calls, last } = await get(`/calls?since=${wireSince}&limit=30`)
      wireSince = last
      drawWire(calls)
    }
    document.body.classList.remove('offline')
  } catch (error) {
    document.body.classList.add('offline')
    if (now) toast(error.message)
  }
  ticking = setTimeout(tick, document.hidden ? 4000 : 900)
}

$('whose').addEventListener('change', (event) => become(event.target.value))
$('web-close').addEventListener('click', closeWeb)
$('scan-any').addEventListener('click', async () => says.scanned(context, await pickDoor(state.service_url, ['official', 'mini', 'link'])))
$('follow').addEventListener('click', () => says.does(context, person().follows ? 'unfollow' : 'follow'))
window.addEventListener('focus', () => state && fetch(`/be/${encodeURIComponent(person().key)}`, { method: 'POST' }))
document.addEventListener('visibilitychange', () => !document.hidden && tick())
tick()
