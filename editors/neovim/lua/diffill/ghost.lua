--- Ghost text of our own: asks for `textDocument/inlineCompletion` and keeps the answer shown.
---
--- Where Neovim draws (0.12), only what is asked for by hand is drawn here, and Neovim's goes meanwhile.
--- Invariants: one request at a time, a newer one cancels it; an answer for another text or cursor
--- than the present one is dropped; nothing is drawn outside insert mode, nor in Replace mode, where
--- backspace would put back what accepting never overwrote; what a person chose or asked for stays
--- while it fits, whatever is offered unasked. When to offer what is the server's business: there is
--- no debounce and no cache here, an item is only kept while it fits.

local client_of = require("diffill.client")
local confidence = require("diffill.confidence")
local edit = require("diffill.edit")
local native = require("diffill.native")
local options = require("diffill.options")
local paint = require("diffill.paint")

local M = {}
local api = vim.api
local METHOD = "textDocument/inlineCompletion"
local INVOKED, AUTOMATIC = 1, 2

---@class diffill.Ghost
---@field buf integer
---@field items diffill.Item[]
---@field index integer the item that is shown
---@field counting boolean show "2/3" at its end
---@field chosen boolean a person turned to the shown item, or asked for it
---@field rest boolean the shown item is what is left of one that was accepted in part
---@field asked string? the place that was asked for last
---@field request integer? id of the request under way
---@field client integer? its client

local states = {} ---@type table<integer, diffill.Ghost>

---@param buf integer
---@return string line, integer row, integer col
local function place(buf)
  local window = api.nvim_get_current_win()
  local row, col = unpack(api.nvim_win_get_cursor(window))
  return api.nvim_buf_get_lines(buf, row - 1, row, true)[1], row - 1, col
end

local function inserting(buf)
  local here = api.nvim_get_current_buf() == buf and vim.bo[buf].modifiable
  return here and api.nvim_get_mode().mode:match("^i") ~= nil
end

local function key(buf)
  local _, row, col = place(buf)
  return ("%d:%d:%d"):format(api.nvim_buf_get_changedtick(buf), row, col)
end

---@param state diffill.Ghost
---@return diffill.Plan?
local function plan_of(state)
  local item = state.items[state.index]
  if not item or not inserting(state.buf) then
    return nil
  end
  return edit.plan(item, place(state.buf))
end

---@param state diffill.Ghost
local function draw(state)
  local plan = plan_of(state)
  if not plan then
    paint.clear(state.buf)
    return
  end
  local count = state.counting and #state.items > 1 and (" %d/%d"):format(state.index, #state.items)
  paint.draw(state.buf, state.items[state.index], plan, count or nil)
  -- Neovim cancels requests along with its item, ours too.
  if not state.request and options.ghost(state.buf) == "native" then
    native.dismiss()
  end
end

local function cancel(state)
  local client = state.client and vim.lsp.get_client_by_id(state.client)
  if client and state.request then
    client:cancel_request(state.request)
  end
  state.request = nil
end

local function clear(state)
  cancel(state)
  state.items, state.counting, state.chosen, state.rest = {}, false, false, false
  paint.clear(state.buf)
end

---@param result table?
---@return diffill.Item[]
local function read(result)
  local items = {}
  for _, raw in ipairs(result and (result.items or result) or {}) do
    if type(raw.insertText) == "string" and raw.range then
      items[#items + 1] = { row = raw.range.start.line, text = edit.text(raw.insertText) }
    end
  end
  return items
end

--- Take an answer that nobody asked for: what was chosen stays while it fits, among what is
--- offered now if it is offered again; so does the rest of what was accepted in part, if nothing is.
---@param state diffill.Ghost
---@param items diffill.Item[]
local function take(state, items)
  local shown = state.items[state.index]
  if state.rest and #items == 0 and plan_of(state) then
    return
  end
  state.rest = false
  state.counting, state.chosen = false, state.chosen and plan_of(state) ~= nil
  if not state.chosen then
    state.items, state.index = items, 1
    return
  end
  for index, item in ipairs(items) do
    if item.row == shown.row and item.text == shown.text then
      state.items, state.index = items, index
      return
    end
  end
end

--- Say why there is nothing for a person who asked.
---@param state diffill.Ghost
---@param client vim.lsp.Client
local function say_why(state, client)
  local params = { textDocument = { uri = vim.uri_from_bufnr(state.buf) } }
  client:request("diffill/explainLast", params, function(err, trail)
    local why = not err and type(trail) == "table" and type(trail.message) == "string" and trail.message
    client_of.say("nothing is suggested here: " .. client_of.reason(why or ":Diffill explain may say why"))
  end, state.buf)
end

---@param state diffill.Ghost
---@param kind integer
local function ask(state, kind)
  local client = client_of.get(state.buf)
  if not client or not client:supports_method(METHOD) then
    return
  end
  cancel(state)
  local asked = key(state.buf)
  state.asked = asked
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local request
  local sent, id = client:request(METHOD, params, function(err, result)
    if state.request ~= request or states[state.buf] ~= state then
      return -- a newer request took its place
    end
    state.request = nil
    if err or not inserting(state.buf) or key(state.buf) ~= asked then
      return
    end
    local items = read(result)
    if kind == INVOKED then
      state.items, state.index = items, 1
      state.counting, state.chosen, state.rest = true, true, false
      if #items == 0 then
        say_why(state, client)
      end
    else
      take(state, items)
    end
    draw(state)
    if options.current.confidence and state.items == items then
      confidence.ask(state.buf, state.items, function()
        if states[state.buf] == state then
          draw(state)
        end
      end)
    end
  end, state.buf)
  request = sent and id or nil
  state.request, state.client = request, client.id
end

---@param state diffill.Ghost
local function moved(state)
  if options.ghost(state.buf) ~= "own" or vim.b[state.buf].diffill_enabled == false then
    if state.asked ~= key(state.buf) then -- else it is told late of what was typed before
      clear(state)
    end
    return
  end
  draw(state) -- what fits stays, without a flicker, until the answer comes
  if state.asked ~= key(state.buf) and inserting(state.buf) then
    ask(state, AUTOMATIC)
  end
end

--- Draw ghost text in a buffer.
---@param buf integer
function M.attach(buf)
  M.detach(buf)
  local state = { buf = buf, items = {}, index = 1, counting = false, chosen = false, rest = false }
  states[buf] = state
  local group = api.nvim_create_augroup("diffill.ghost." .. buf, {})
  api.nvim_create_autocmd({ "InsertEnter", "CursorMovedI", "TextChangedI", "TextChangedP" }, {
    group = group,
    buffer = buf,
    callback = function(event)
      if event.event == "InsertEnter" then
        state.asked = nil
        -- The mode is not insert yet while this event runs.
        vim.schedule(function()
          if states[buf] == state and inserting(buf) then
            moved(state)
          end
        end)
      elseif not (event.event == "CursorMovedI" and state.asked == key(buf)) then
        moved(state)
      end
    end,
  })
  local function leave()
    clear(state)
    state.asked = nil
  end
  api.nvim_create_autocmd({ "InsertLeave", "BufLeave" }, { group = group, buffer = buf, callback = leave })
  -- CTRL-C leaves without InsertLeave. An expression (CTRL-R =) is typed in mode c, and comes back.
  api.nvim_create_autocmd("ModeChanged", {
    group = group,
    buffer = buf,
    callback = function()
      if not vim.v.event.new_mode:match("^[ic]") then
        leave()
      end
    end,
  })
  -- Neovim's item may come after ours was drawn.
  api.nvim_create_autocmd("LspRequest", {
    group = group,
    buffer = buf,
    callback = function(event)
      local request = event.data.request
      if request.method == METHOD and request.type == "complete" and options.ghost(buf) == "native" then
        vim.schedule(function() -- when its handler has run
          if states[buf] == state then
            draw(state)
          end
        end)
      end
    end,
  })
  if inserting(buf) then
    moved(state)
  end
end

---@param buf integer
function M.detach(buf)
  local state = states[buf]
  if state then
    clear(state)
    states[buf] = nil
    api.nvim_del_augroup_by_name("diffill.ghost." .. buf)
  end
end

--- Take away what is shown, in the buffers of one server or in all: it may not be offered any more.
---@param client integer?
function M.forget(client)
  for buf, state in pairs(states) do
    if not client or vim.lsp.buf_is_attached(buf, client) then
      clear(state)
      state.asked = nil
      native.forget(buf)
    end
  end
end

--- Ask by hand: more steps, all alternatives, also what is not sure.
---@return boolean
function M.trigger()
  local state = states[api.nvim_get_current_buf()]
  if not state or not inserting(state.buf) then
    return false
  end
  ask(state, INVOKED)
  return true
end

--- Whether something is shown.
---@return boolean
function M.shown()
  local state = states[api.nvim_get_current_buf()]
  return state ~= nil and plan_of(state) ~= nil
end

---@param unit "all"|"line"|"word"
---@return boolean whether there was something to accept
function M.accept(unit)
  local state = states[api.nvim_get_current_buf()]
  local plan = state and plan_of(state)
  if not state or not plan then
    return false
  end
  local item, part, chosen = state.items[state.index], edit.part(plan, unit), state.chosen
  clear(state)
  if part ~= plan then
    state.items, state.index, state.chosen, state.rest = { edit.rest(item, part) }, 1, chosen, true
  end
  edit.apply(part)
  return true
end

---@param step integer
---@return boolean
function M.select(step)
  local state = states[api.nvim_get_current_buf()]
  if not state or not plan_of(state) then
    return false
  end
  repeat -- the one that is shown fits, so this ends
    state.index = (state.index - 1 + step) % #state.items + 1
  until plan_of(state)
  state.counting, state.chosen = true, true
  draw(state)
  return true
end

---@return boolean
function M.dismiss()
  local shown = M.shown()
  local state = states[api.nvim_get_current_buf()]
  if state then
    clear(state)
  end
  return shown
end

return M
