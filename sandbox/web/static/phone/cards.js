// What arrives on a phone, as it looks there.
import { clockText, h, icon, pieces, rich } from './dom.js'

const LABELS = {
  character_string: '编号', thing: '内容', phrase: '状态', time: '时间', date: '日期', name: '姓名', number: '数量',
  amount: '金额', phone_number: '电话', car_number: '车牌', const: '类型', short_thing: '类型',
}
const KNOWN = {
  repair_progress: ['工单编号', '报修地点', '报修内容', '当前进度', '更新时间'],
  repair_dispatch: ['工单编号', '报修地点', '报修内容', '报修人', '派工时间'],
  notice: ['通知标题', '通知内容', '发布时间'],
}

const fields = (body) => {
  const known = KNOWN[body.template]
  return Object.entries(body.data).map(([name, value], n) => h('div', { class: 'field' },
    h('dt', {}, (known && known[n]) || LABELS[name.replace(/\d+$/, '')] || name), h('dd', {}, value)))
}

const target = (body) => {
  if (body.miniprogram && body.miniprogram.pagepath !== undefined) return { page: body.miniprogram.pagepath }
  if (body.page && !/^https?:/.test(body.page)) return { page: body.page }
  return body.url || body.page ? { url: body.url || body.page } : null
}

export function template(item, open) {
  const to = target(item.body)
  const inside = [h('header', {}, item.body.title), h('dl', {}, fields(item.body)),
    to ? h('footer', {}, to.page !== undefined ? '进入小程序查看' : '查看详情', h('span', {}, '›')) : null]
  return to ? h('button', { class: 'notice', type: 'button', onclick: () => open(to) }, inside) : h('div', { class: 'notice' }, inside)
}

function textcard(body, open) {
  return h('button', { class: 'notice textcard', type: 'button', onclick: () => open({ url: body.url }) },
    h('header', {}, body.title), h('p', { class: 'pre' }, divs(body.description)),
    h('footer', {}, body.btntxt || '详情', h('span', {}, '›')))
}

// <div class="gray|normal|highlight"> as WeCom shows them
function divs(text) {
  return pieces(text, ['div']).map(({ tag, attrs, text: words }) =>
    (tag ? h('span', { class: `div ${['gray', 'highlight'].includes(attrs.class) ? attrs.class : 'normal'}` }, words) : words))
}

function templateCard(item, act) {
  const card = item.body
  const state = act.state(card.msg_id)
  const go = card.card_action && card.card_action.type === 1 ? () => act.open({ url: card.card_action.url }) : null
  const chosen = {}
  const select = (question, options, multi, preset) => h('fieldset', { class: 'choices' }, options.map((o) => {
    const on = o.is_checked || o.id === preset
    const box = h('input', { type: multi ? 'checkbox' : 'radio', name: `${card.msg_id}-${question}`, checked: on })
    const keep = () => {
      const had = multi ? chosen[question] || [] : []
      chosen[question] = box.checked ? [...had.filter((x) => x !== o.id), o.id] : had.filter((x) => x !== o.id)
    }
    if (on) keep()
    box.addEventListener('change', keep)
    return h('label', { class: 'tick' }, box, h('span', {}, o.text))
  }))
  const press = (key) => act.tap(card.msg_id, key, chosen)
  const buttons = (card.button_list || []).map((b) => h('button', {
    type: 'button', class: b.style === 1 || !b.style ? 'primary' : 'second',
    onclick: () => (b.type === 1 ? act.open({ url: b.url }) : press(b.key)),
  }, b.text))
  if (card.submit_button) buttons.push(h('button', { type: 'button', class: 'primary', onclick: () => press(card.submit_button.key) }, card.submit_button.text))
  return h('div', { class: 'notice' },
    card.source ? h('small', { class: 'source' }, card.source.desc || '') : null,
    h(go ? 'button' : 'div', { class: 'head', type: go && 'button', onclick: go },
      h('header', {}, (card.main_title || {}).title || ''), (card.main_title || {}).desc ? h('p', {}, card.main_title.desc) : null,
      card.emphasis_content ? h('p', { class: 'big' }, card.emphasis_content.title || '', h('small', {}, card.emphasis_content.desc || '')) : null,
      card.sub_title_text ? h('p', { class: 'pre' }, card.sub_title_text) : null,
      h('dl', {}, (card.horizontal_content_list || []).map((x) => h('div', { class: 'field' }, h('dt', {}, x.keyname), h('dd', {}, x.value || ''))))),
    (card.jump_list || []).map((j) => h('button', { type: 'button', class: 'jump', onclick: () => act.open({ url: j.url }) }, j.title, h('span', {}, '›'))),
    card.checkbox ? select(card.checkbox.question_key, card.checkbox.option_list, card.checkbox.mode === 1) : null,
    (card.select_list || []).map((s) => [h('small', {}, s.title || ''), select(s.question_key, s.option_list, false, s.selected_id)]),
    state ? h('div', { class: 'pair' }, h('button', { type: 'button', class: 'second', disabled: true }, state)) : buttons.length ? h('div', { class: 'pair' }, buttons) : null)
}

function reply(body, open) {
  switch (body.MsgType) {
    case 'text': return h('div', { class: 'bubble' }, rich(body.Content || '', open))
    case 'news': {
      const item = [].concat(body.Articles.item)[0]
      return h('button', { class: 'notice news', type: 'button', onclick: () => open({ url: item.Url }) },
        item.PicUrl ? h('img', { src: item.PicUrl, alt: '' }) : null, h('header', {}, item.Title), h('p', {}, item.Description || ''))
    }
    case 'image': return h('div', { class: 'bubble' }, '［图片］')
    case 'update_button': return h('div', { class: 'note' }, `按钮变为“${body.Button?.ReplaceName || ''}”`)
    default: return h('div', { class: 'bubble' }, `［${body.MsgType || '消息'}］`)
  }
}

const message = (body, open) => {
  const one = body.msgtype === 'text' || body.msgtype === 'markdown' || body.content !== undefined
  if (one) return h('div', { class: 'bubble' }, rich(body.content || '', open))
  if (body.msgtype === 'news') return reply({ MsgType: 'news', Articles: { item: { Title: body.articles[0].title, Description: body.articles[0].description, Url: body.articles[0].url, PicUrl: body.articles[0].picurl } } }, open)
  if (body.msgtype === 'miniprogrampage') return h('button', { class: 'notice', type: 'button', onclick: () => open({ page: body.pagepath }) }, h('header', {}, body.title), h('footer', {}, '小程序', h('span', {}, '›')))
  return h('div', { class: 'bubble' }, `［${body.msgtype || '消息'}］`)
}

// One line of a chat, or null when it shows nothing.
export function line(item, act) {
  const { kind, body, direction } = item
  if (direction === 'state') {
    if (kind === 'note') return h('li', { class: 'note' }, body.text)
    if (kind === 'tap') return h('li', { class: 'note' }, `点了菜单“${body.name}”`)
    if (kind === 'recalled') return h('li', { class: 'note' }, '一条消息已被撤回')
    return null
  }
  if (direction === 'out') {
    const inside = kind === 'image' ? h('img', { class: 'sent', src: new URL(body.url).pathname, alt: '照片' })
      : kind === 'location' ? h('div', { class: 'bubble' }, icon('pin'), body.label || `${body.lat}, ${body.lng}`)
        : h('div', { class: 'bubble' }, body.text)
    return h('li', { class: 'me' }, inside)
  }
  const show = () => {
    if (kind === 'reply') return reply(body, act.open)
    if (kind === 'unavailable') return h('div', { class: 'bubble gone', title: body.why }, body.text)
    if (kind === 'template' || kind === 'subscribe') return template(item, act.open)
    if (kind === 'textcard') return textcard(body, act.open)
    if (kind === 'template_card') return templateCard(item, act)
    if (kind === 'sms') return h('div', { class: 'bubble' }, link(body.text, act.open))
    return message({ msgtype: kind === 'custom' ? body.msgtype : kind, ...body }, act.open)
  }
  return h('li', { class: 'them' }, h('time', {}, clockText(item.at)), show())
}

// An SMS with its addresses made tappable
function link(text, open) {
  return text.split(/(https?:\/\/[^\s，。）】]+)/).map((part, n) =>
    (n % 2 ? h('button', { class: 'link', type: 'button', onclick: () => open({ url: part }) }, part) : part))
}
