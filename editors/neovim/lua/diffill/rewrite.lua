--- `:Diffill rewrite`: other texts for a selection, shown as a diff, one of them applied.
---
--- Invariants: nothing is edited before a person applies; what is applied is what the diff showed,
--- or nothing, when that is a draft or the text has changed since; it is one undo step; a range is
--- only used with the text it was made for.

local between = require("diffill.between")
local client_of = require("diffill.client")
local drafts = require("diffill.drafts")
local edit = require("diffill.edit")
local options = require("diffill.options")
local pins = require("diffill.pins")
local place = require("diffill.place")
local show = require("diffill.show")
local snapshot = require("diffill.snapshot")

local M = {}
local api = vim.api
local METHOD = "diffill/rewrite"
local STRENGTH, STRENGTH_STEP = 0.5, 0.2
local CHANGED = "the text has changed since the rewrite was made; ask again"

---@class diffill.Preview
---@field buf integer the text's buffer
---@field before diffill.Snapshot its text when the rewrites were made
---@field range diffill.Range
---@field strength number
---@field wanted number the strength that was asked for last
---@field request diffill.Asked?
---@field rewrites table[]
---@field index integer
---@field draft diffill.Draft? what the window shows instead of a rewrite
---@field shown diffill.Window?

---@param a string
---@param b string
---@return string[]
local function diff(a, b)
  local compare = vim.text and vim.text.diff or vim.diff
  local text = compare(a, b, { ctxlen = 1, result_type = "unified" })
  return vim.split(vim.trim(text --[[@as string]]), "\n", { plain = true })
end

--- Whether the text is the one that the rewrites were made for.
---@param preview diffill.Preview
---@return boolean
local function unchanged(preview)
  return snapshot.holds(preview.before)
end

---@param preview diffill.Preview
---@return string[]
local function lines_of(preview)
  if not unchanged(preview) then
    return { "! " .. CHANGED, "q abort" }
  end
  local range, rewrite = preview.range, preview.rewrites[preview.index]
  local old = api.nvim_buf_get_lines(preview.buf, range[1], range[3] + 1, true)
  local text = preview.draft and edit.text(drafts.text(preview.draft.texts[1]), old[1]) or rewrite.text
  local new = old[1]:sub(1, range[2]) .. text .. old[#old]:sub(range[4] + 1)
  local before = table.concat(old, "\n") .. "\n"
  local lines = before == new .. "\n" and { " the same text" } or diff(before, new .. "\n")
  if preview.draft then
    lines[#lines + 1] = "a draft; the rewrite comes when it is done"
    return lines
  end
  for _, pinned in ipairs(pins.texts(preview.buf, range)) do
    if not text:find(pinned, 1, true) then
      table.insert(lines, 1, "! does not keep the pinned text: " .. pinned:gsub("\n", " "))
    end
  end
  lines[#lines + 1] = "<CR> apply  q abort  n/p next/previous  +/- strength"
  return lines
end

---@param preview diffill.Preview
---@return string
local function title_of(preview)
  if preview.draft then
    return ("rewrite, a draft  %d %% done"):format(math.floor(100 * preview.draft.done + 0.5))
  end
  local rewrite = preview.rewrites[preview.index]
  return ("rewrite %d/%d  strength %.1f  %d %% changed%s"):format(
    preview.index,
    #preview.rewrites,
    preview.strength,
    math.floor(100 * (rewrite.changed or 0) + 0.5),
    rewrite.parses == false and "  does not parse" or ""
  )
end

---@param preview diffill.Preview
local function apply(preview)
  if preview.draft then
    client_of.say("this is a draft; wait for the rewrite")
    return
  end
  if preview.shown then
    show.close(preview.shown)
  end
  if not unchanged(preview) then
    client_of.say(CHANGED, vim.log.levels.WARN)
    return
  end
  if not client_of.may_edit(preview.buf) then
    return
  end
  local buf, range = preview.buf, preview.range
  between.replace(buf, range, pins.inside(buf, range), preview.rewrites[preview.index].text)
end

local open ---@type fun(preview: diffill.Preview)

---@param preview diffill.Preview
local function open_window(preview)
  local shown = show.open(title_of(preview), lines_of(preview), options.current.preview)
  preview.shown = shown
  vim.bo[shown.buf].filetype = "diff"
  local function map(keys, action, desc)
    for _, key in ipairs(keys) do
      vim.keymap.set("n", key, action, { buffer = shown.buf, nowait = true, desc = desc })
    end
  end
  local function turn(step)
    return function()
      preview.index = (preview.index - 1 + step) % #preview.rewrites + 1
      open(preview)
    end
  end
  local function stronger(step)
    return function()
      if not unchanged(preview) then
        client_of.say(CHANGED, vim.log.levels.WARN)
        return
      end
      local last = preview.request
      local from = last and last.under_way and preview.wanted or preview.strength
      M.ask(preview, math.min(math.max(from + step, 0.1), 1))
    end
  end
  map({ "<CR>", "a" }, function()
    apply(preview)
  end, "Apply this rewrite")
  map({ "n", "<Tab>" }, turn(1), "Next rewrite")
  map({ "p", "<S-Tab>" }, turn(-1), "Previous rewrite")
  map({ "+" }, stronger(STRENGTH_STEP), "A stronger rewrite")
  map({ "-" }, stronger(-STRENGTH_STEP), "A weaker rewrite")
  map({ "q", "<Esc>" }, function()
    drafts.cancel(preview.request)
    show.close(shown)
  end, "Abort")
end

open = function(preview)
  if show.is_open(preview.shown) then
    show.update(preview.shown, title_of(preview), lines_of(preview))
    return
  end
  show.when_free(preview.buf, "the rewrite", function()
    if unchanged(preview) then
      open_window(preview)
    else
      client_of.say(CHANGED, vim.log.levels.WARN)
    end
  end)
end

--- Ask for rewrites of a preview's range, and show them.
---@param preview diffill.Preview
---@param strength number
function M.ask(preview, strength)
  local client = client_of.need(preview.buf)
  if not client or not client_of.may_edit(preview.buf) then
    return
  end
  local buf, encoding = preview.buf, client.offset_encoding
  local before = snapshot.take(buf)
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buf) },
    range = place.to_lsp(buf, preview.range, encoding),
    strength = strength,
  }
  local keep = vim.tbl_map(function(pin)
    return place.to_lsp(buf, pin, encoding)
  end, pins.inside(buf, preview.range))
  params.keep = #keep > 0 and keep or nil
  local function in_window(draft)
    if not show.is_open(preview.shown) then
      return false
    end
    local function show_it()
      preview.draft = draft
      if show.is_open(preview.shown) then
        open(preview)
      end
    end
    if draft then
      show_it()
    else
      vim.schedule(show_it) -- the end may be told while no text may be changed
    end
    return true
  end
  preview.wanted = strength
  preview.request = drafts.ask(buf, METHOD, params, function(result)
    if not result or #(result.rewrites or {}) == 0 then
      client_of.say("no rewrite: " .. client_of.reason(tostring(result and result.reason or "the server gave none")))
    elseif not snapshot.holds(before) then
      client_of.say("the text has changed since the rewrite was asked for; ask again", vim.log.levels.WARN)
    else
      local row = preview.range[1]
      local line = api.nvim_buf_get_lines(buf, row, row + 1, true)[1]
      for _, rewrite in ipairs(result.rewrites) do
        rewrite.text = edit.text(rewrite.text, line)
      end
      preview.before, preview.strength, preview.rewrites, preview.index = before, strength, result.rewrites, 1
      preview.draft = nil
      open(preview)
    end
  end, in_window)
end

--- `:[range]Diffill rewrite [strength]`.
---@param command table
---@param word string?
function M.run(command, word)
  local strength = word == nil and STRENGTH or tonumber(word)
  if not (strength and strength > 0 and strength <= 1) then -- so that nan is none
    client_of.say(("strength is %s; give a share above 0, at most 1"):format(word), vim.log.levels.ERROR)
    return
  end
  local buf = api.nvim_get_current_buf()
  local range = place.selected(command)
  if range then
    M.ask({ buf = buf, range = range, rewrites = {}, index = 1 }, strength)
  end
end

return M
