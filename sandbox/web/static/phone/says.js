// The foot of a chat: the published menu, or the keyboard; photo, place and scan behind the plus.
import { $, h, icon, post, toast } from './dom.js'
import { pickDoor, pickPhoto } from './sheets.js'

const typing = { official: false, wecom: false }
const drawn = { official: '', wecom: '' }

export async function does(context, deed, body = {}) {
  try {
    return await post(`/people/${context.person().key}/${deed}`, body instanceof FormData ? body : { wait: false, ...body })
  } catch (error) {
    toast(error.message)
    return null
  } finally {
    context.refresh()
  }
}

export function scanned(context, door) {
  if (!door) return
  if (door.form === 'mini') context.open({ page: door.page })
  else if (door.form === 'link') context.open({ url: door.url })
  else {
    context.show('official')
    does(context, 'scan', door.qr ? { url: door.qr } : { code: door.code })
  }
}

async function tapMenu(context, app, button) {
  if (app === 'wecom') {
    does(context, 'wecom_click', { key: button.key || button.url })
    if (button.type === 'view') context.open({ url: button.url })
    return
  }
  const key = button.key || (button.type === 'miniprogram' ? button.pagepath : button.url)
  if (button.type.startsWith('scancode')) {
    const door = await pickDoor(context.state().service_url, ['link', 'official'])
    if (!door) return
    const scan = door.url || door.qr || door.code
    does(context, 'click', { key, scan })
    return
  }
  does(context, 'click', { key })
  if (button.type === 'view') context.open({ url: button.url })
  if (button.type === 'miniprogram') context.open({ page: button.pagepath })
}

function menuBar(context, app, menu, redraw) {
  const row = h('div', { class: 'menubar' }, h('button', { class: 'icon', type: 'button', 'aria-label': '键盘', onclick: () => { typing[app] = true; redraw() } }, icon('keyboard')))
  for (const top of menu) {
    const subs = top.sub_button || []
    const list = h('div', { class: 'subs', hidden: true }, subs.map((one) =>
      h('button', { type: 'button', onclick: () => { list.hidden = true; tapMenu(context, app, one) } }, one.name)))
    const press = () => {
      const was = list.hidden
      row.querySelectorAll('.subs').forEach((x) => { x.hidden = true })
      if (subs.length) list.hidden = !was
      else tapMenu(context, app, top)
    }
    row.append(h('div', { class: 'top' }, subs.length ? list : null, h('button', { type: 'button', onclick: press }, subs.length ? h('i', { 'aria-hidden': 'true' }, '≡') : null, top.name)))
  }
  return row
}

function keyboard(context, app, menu, redraw) {
  const field = h('input', { type: 'text', 'aria-label': '输入消息', placeholder: '发消息', maxlength: 600, autocomplete: 'off' })
  const send = (event) => {
    event.preventDefault()
    const text = field.value.trim()
    if (!text) return
    field.value = ''
    does(context, app === 'wecom' ? 'wecom_text' : 'text', { text })
  }
  const photo = async () => {
    const chosen = await pickPhoto()
    if (!chosen) return
    if (chosen.sample) return does(context, 'photo', { sample: chosen.sample })
    const form = new FormData()
    form.append('photo', chosen.file)
    return does(context, 'photo', form)
  }
  return h('form', { class: 'typing', onsubmit: send },
    menu.length ? h('button', { class: 'icon', type: 'button', 'aria-label': '菜单', onclick: () => { typing[app] = false; redraw() } }, icon('menu')) : null,
    field,
    app === 'official' ? h('button', { class: 'icon', type: 'button', 'aria-label': '发照片', onclick: photo }, icon('photo')) : null,
    h('button', { class: 'primary', type: 'submit' }, '发送'))
}

export function draw(context, app, force = false) {
  const state = context.state()
  const person = context.person()
  const menu = app === 'wecom' ? state.wecom_menu : state.menu
  const foot = $(`says-${app}`)
  const stamp = JSON.stringify([menu, typing[app], person.key, person.follows, person.wecom_userid])
  if (!force && stamp === drawn[app]) return
  drawn[app] = stamp
  const redraw = () => draw(context, app, true)
  if (app === 'official' && !person.follows) {
    foot.replaceChildren(h('button', { class: 'wide primary', type: 'button', onclick: () => does(context, 'follow') }, '关注公众号'))
  } else if (app === 'wecom' && !person.wecom_userid) {
    foot.replaceChildren(h('p', { class: 'none' }, `${person.name}不在企业微信通讯录里`))
  } else if (menu.length && !typing[app]) foot.replaceChildren(menuBar(context, app, menu, redraw))
  else foot.replaceChildren(keyboard(context, app, menu, redraw))
}
