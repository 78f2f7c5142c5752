// The mini-program: the client's H5 build in a frame, and the bridge that does for it what WeChat does.
import { $, get, h, icon, post, toast } from './dom.js'
import { askSubscribe, closeSheet, confirm, pickDoor, sheet } from './sheets.js'

let frame = null
let opened = '' // whose it is
let context = null

export function setUp(ctx) {
  context = ctx
  $('mini-close').addEventListener('click', close)
  $('mini-reload').addEventListener('click', () => openPage(''))
  window.addEventListener('message', hear)
  launcher()
}

function launcher() {
  $('mini-launch').replaceChildren(
    h('button', { type: 'button', class: 'tile', onclick: () => openPage('') }, h('span', { class: 'logo' }, icon('mini')), h('b', {}, '后勤通'), h('small', {}, '点按进入小程序')))
  $('mini-launch').hidden = false
  $('app-mini').classList.remove('open')
  $('mini-title').textContent = '小程序'
}

export function close() {
  if (frame) frame.remove()
  frame = null
  opened = ''
  closeSheet()
  launcher()
}

export const isOpenFor = (person) => frame !== null && opened === person

export function openPage(path) {
  const { service_url: service } = context.state()
  const person = context.person()
  const hash = path ? `#/${path.replace(/^\//, '')}` : ''
  if (frame) frame.remove()
  const query = `?bridge=${encodeURIComponent(location.origin)}&as=${encodeURIComponent(person.key)}`
  frame = h('iframe', { src: `${service}/m/${query}${hash}`, title: '小程序 后勤通', allow: 'geolocation; camera' })
  opened = person.key
  $('mini-launch').hidden = true
  $('app-mini').classList.add('open')
  $('mini-title').textContent = '后勤通'
  $('mini-frame').replaceChildren(frame)
}

const allowed = () => {
  const origin = new URL(context.state().service_url).origin
  return [origin, origin.replace('127.0.0.1', 'localhost'), origin.replace('localhost', '127.0.0.1')]
}

async function hear(event) {
  // A page of the client keeps the bridge for its tab, so the web view hears an answer too.
  const frames = [frame, $('web-frame').querySelector('iframe')]
  if (!frames.some((f) => f && f.contentWindow === event.source) || !allowed().includes(event.origin)) return
  const { source, id, api, args } = event.data || {}
  if (source !== 'houqin-client' || typeof api !== 'string') return
  const say = (message) => event.source.postMessage({ source: 'houqin-phone', id, ...message }, event.origin)
  try {
    const run = Object.hasOwn(APIS, api) ? APIS[api] : null
    if (!run) throw new Error('not supported')
    say({ ok: true, result: { errMsg: `${api}:ok`, ...(await run(args || {}, context.person())) } })
  } catch (error) {
    const text = error.message.startsWith(`${api}:`) ? error.message : `${api}:fail ${error.message}`
    say({ ok: false, error: text })
  }
}

const cancelled = (value) => {
  if (value === null) throw new Error('cancel')
  return value
}

const APIS = {
  login: (args, person) => post(`/people/${person.key}/login_code`),
  async scanCode(args) {
    const door = cancelled(await pickDoor(context.state().service_url, ['link', 'mini', 'official']))
    if (door.form === 'mini') return { result: '', path: door.page, scanType: 'WX_CODE', charSet: 'UTF-8' }
    if (door.form === 'official') {
      const url = door.qr || (await get(`/qr_url?code=${encodeURIComponent(door.code)}`)).url
      return { result: url, scanType: 'QR_CODE', charSet: 'UTF-8' }
    }
    return { result: door.url, scanType: 'QR_CODE', charSet: 'UTF-8' }
  },
  async requestSubscribeMessage(args, person) {
    const ids = Array.isArray(args.tmplIds) ? args.tmplIds : []
    if (!ids.length) throw new Error("TmplIds can't be empty")
    if (ids.length > 3) throw new Error('TmplIds length exceeds 3')
    const known = context.state().accounts.find((a) => a.name === 'mini').templates
    const wanted = ids.map((id) => known.find((t) => t.id === id))
    if (wanted.some((t) => !t)) throw new Error('No template data return, verify the template id exist')
    const answers = cancelled(await askSubscribe(wanted))
    return post(`/people/${person.key}/subscribe`, { answers })
  },
  async getPhoneNumber(args, person) {
    const yes = await confirm('申请获取并验证你的手机号', [person.phone.replace(/^(\d{3})\d{4}/, '$1****')])
    if (!yes) throw new Error('user deny')
    return post(`/people/${person.key}/phone_code`)
  },
  async openLocation(args) {
    sheet('查看位置', (done) => [h('div', { class: 'asks place' }, icon('pin'), h('b', {}, args.name || '位置'), h('p', {}, args.address || ''),
      h('small', {}, `${args.latitude}, ${args.longitude}`)), h('div', { class: 'pair' }, h('button', { type: 'button', class: 'primary', onclick: () => done(true) }, '知道了'))])
    return {}
  },
  async setNavigationBarTitle(args) {
    const title = String(args.title || '后勤通').slice(0, 30)
    if ($('web').hidden) frame.title = `小程序 ${title}`
    else $('web-title').textContent = title
    return {}
  },
  async navigateBack() {
    close()
    return {}
  },
  async requestPayment() {
    toast('沙箱里还不能付款')
    throw new Error('not supported')
  },
}
