// Sheets that rise from the bottom: scanning, photos, permissions. Each returns a promise; closing it gives null.
import { $, get, h, icon, toast } from './dom.js'

let dismiss = null

export function sheet(title, build) {
  if (dismiss) dismiss(null)
  return new Promise((resolve) => {
    const veil = $('veil')
    const done = (value) => {
      veil.hidden = true
      veil.replaceChildren()
      dismiss = null
      resolve(value)
    }
    dismiss = done
    const box = h('div', { class: 'rises', role: 'dialog', 'aria-label': title },
      h('header', {}, h('b', {}, title),
        h('button', { class: 'icon', type: 'button', 'aria-label': '关闭', onclick: () => done(null) }, icon('close'))))
    box.append(...[build(done)].flat())
    veil.replaceChildren(h('div', { class: 'shade', onclick: () => done(null) }), box)
    veil.hidden = false
    box.querySelector('[autofocus]')?.focus()
  })
}

export const closeSheet = () => dismiss && dismiss(null)

// Which door, and which of its codes: {form: 'official'|'mini'|'link'|'text', code|page|url|text}
export function pickDoor(service, forms) {
  const names = { official: '公众号码', mini: '小程序码', link: '链接码' }
  return sheet('扫一扫', (done) => {
    const list = h('ul', { class: 'doors' })
    const chosen = (door, form) => {
      if (form === 'official') done({ form, code: door.code })
      else if (form === 'mini') done({ form, page: `${door.page || 'pages/repair/file'}?scene=${encodeURIComponent(door.code)}` })
      else done({ form, url: `${service}/m/#/pages/repair/file?door=${encodeURIComponent(door.code)}` })
    }
    const fill = async (words) => {
      const { doors, total } = await get(`/doors?limit=60&q=${encodeURIComponent(words)}`)
      list.replaceChildren(...doors.map((door) => h('li', {},
        h('button', { class: 'door', type: 'button', onclick: () => chosen(door, forms[0]) },
          icon('door'), h('span', {}, h('b', {}, door.label || door.code), door.label ? h('small', {}, door.code) : null)),
        h('span', { class: 'forms' }, forms.map((form) =>
          h('button', { class: 'chip', type: 'button', onclick: () => chosen(door, form) }, names[form]))))))
      if (!doors.length) list.append(h('li', { class: 'none' }, words ? '没有这样的门' : '还没有门牌码。可以在上面贴一个。'))
      else if (total > doors.length) list.append(h('li', { class: 'none' }, `还有 ${total - doors.length} 个，请搜索`))
    }
    const field = h('input', { type: 'search', placeholder: '搜房间，或贴上门牌码、网址', 'aria-label': '门牌码', autofocus: true })
    let wait
    field.addEventListener('input', () => {
      clearTimeout(wait)
      wait = setTimeout(() => fill(field.value.trim()).catch((e) => toast(e.message)), 200)
    })
    const take = (event) => {
      event.preventDefault()
      const text = field.value.trim()
      if (!text) return
      if (/^https?:\/\/weixin\.qq\.com\/q\//.test(text)) done({ form: 'official', qr: text })
      else if (/^https?:/.test(text)) done({ form: 'link', url: text })
      else chosen({ code: text }, forms[0])
    }
    fill('').catch((e) => toast(e.message))
    return [h('form', { class: 'find', onsubmit: take }, field, h('button', { class: 'primary', type: 'submit' }, '扫这个')), list]
  })
}

export function pickPhoto() {
  const samples = [['leak', '漏水'], ['lamp', '灯不亮'], ['lock', '门锁坏']]
  return sheet('发一张照片', (done) => {
    const file = h('input', { type: 'file', accept: 'image/*', 'aria-label': '选择照片' })
    file.addEventListener('change', () => file.files[0] && done({ file: file.files[0] }))
    return [h('div', { class: 'samples' }, samples.map(([name, label]) =>
      h('button', { type: 'button', onclick: () => done({ sample: name }) },
        h('img', { src: `/static/photos/${name}.jpg`, alt: '' }), label))),
      h('label', { class: 'file' }, '或从电脑里选：', file)]
  })
}

export function confirm(title, lines, yes = '允许', no = '拒绝') {
  return sheet(title, (done) => [
    h('div', { class: 'asks' }, lines.map((line) => h('p', {}, line))),
    h('div', { class: 'pair' },
      h('button', { type: 'button', class: 'second', onclick: () => done(false) }, no),
      h('button', { type: 'button', class: 'primary', onclick: () => done(true) }, yes))])
}

export function askSubscribe(templates) {
  return sheet('小程序 申请发送以下消息', (done) => {
    const boxes = templates.map((t) => {
      const box = h('input', { type: 'checkbox', checked: true })
      box.dataset.id = t.id
      return h('label', { class: 'tick' }, box, h('span', {}, h('b', {}, t.title), h('small', {}, '一次性订阅')))
    })
    const answers = (accept) => Object.fromEntries(boxes.map((label) => {
      const box = label.querySelector('input')
      return [box.dataset.id, accept && box.checked ? 'accept' : 'reject']
    }))
    return [h('div', { class: 'asks' }, boxes),
      h('div', { class: 'pair' },
        h('button', { type: 'button', class: 'second', onclick: () => done(answers(false)) }, '取消'),
        h('button', { type: 'button', class: 'primary', onclick: () => done(answers(true)) }, '允许'))]
  })
}
