// What a show's own page does with the player: wait until every picture is decoded, start on a cue, follow the steps.
const player = document.querySelector('pregen-player')
const told = document.querySelector('#told')
const go = document.querySelector('#go')

go.disabled = true
player.addEventListener('ready', ({ detail }) => {
  go.disabled = false
  told.textContent = `${detail.steps} steps, ${detail.durationMs} ms`
})
player.addEventListener('step', ({ detail }) => {
  told.textContent = `step ${detail.step} of ${detail.steps}`
})
player.addEventListener('final', () => {
  told.textContent = 'there it is'
})
player.addEventListener('error', ({ detail }) => {
  told.textContent = `${detail.file ?? 'the picture'}: ${detail.message}`
})
go.addEventListener('click', () => void player.play())
