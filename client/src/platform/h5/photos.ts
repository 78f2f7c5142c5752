/** Photos in H5: chosen by a file input, turned upright and made small by a canvas before they are sent. */
const LONGEST_SIDE = 1600
const SMALL_ENOUGH = 300 * 1024
const chosen = new Map<string, File>()

export async function choosePhotos(count: number): Promise<string[]> {
  const files = await pick(count)
  return files.slice(0, count).map((file) => {
    const path = URL.createObjectURL(file)
    chosen.set(path, file)
    return path
  })
}

export async function bytes(path: string): Promise<{ type: string; data: ArrayBuffer }> {
  const file = chosen.get(path)
  if (!file) throw new Error('photo is gone')
  const blob = await smaller(file).catch(() => file)
  return { type: blob.type || 'image/jpeg', data: await blob.arrayBuffer() }
}

function pick(count: number): Promise<File[]> {
  return new Promise((yes) => {
    const input = document.createElement('input')
    input.type = 'file'
    input.accept = 'image/*'
    input.multiple = count > 1
    input.style.display = 'none'
    input.onchange = () => {
      yes(Array.from(input.files ?? []))
      input.remove()
    }
    input.addEventListener('cancel', () => {
      yes([])
      input.remove()
    })
    document.body.appendChild(input)
    input.click()
  })
}

async function smaller(file: File): Promise<Blob> {
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' })
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height))
  if (scale === 1 && file.size <= SMALL_ENOUGH && /jpeg|png|webp/.test(file.type)) return file
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(picture.width * scale)
  canvas.height = Math.round(picture.height * scale)
  const brush = canvas.getContext('2d')
  if (!brush) return file
  brush.drawImage(picture, 0, 0, canvas.width, canvas.height)
  picture.close()
  const blob = await new Promise<Blob | null>((yes) => canvas.toBlob(yes, 'image/jpeg', 0.8))
  return blob ?? file
}
