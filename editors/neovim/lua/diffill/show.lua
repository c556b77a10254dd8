--- A few lines of text in a window of their own: float or split, closed with q.
---
--- Invariants: the keys belong to the window's own buffer, none of the user's is taken; a window
--- takes the focus only in normal mode and from the buffer that it was asked for in.

local client_of = require("diffill.client")

local M = {}
local api = vim.api
local group = api.nvim_create_augroup("diffill.show", {})
local waiting = {} ---@type table<string, integer> autocommands, by buffer and what waits there

---@class diffill.Window
---@field buf integer
---@field window integer

--- The width of a window for some texts; of longer ones the rest goes on below.
---@param texts string[]
---@return integer
local function width_for(texts)
  local width = 20
  for _, text in ipairs(texts) do
    width = math.max(width, vim.fn.strdisplaywidth(text))
  end
  return math.min(width, math.max(vim.o.columns - 4, 20))
end

--- As many rows as the text of a window has in its width.
---@param window integer
local function fit(window)
  vim.wo[window].wrap = true
  api.nvim_win_set_height(window, math.max(vim.o.lines - 6, 1)) -- so that it shows its beginning
  local rows = api.nvim_win_text_height(window, {}).all
  api.nvim_win_set_height(window, math.min(rows, math.max(vim.o.lines - 6, 1)))
end

--- Put other lines into an open window, sized anew.
---@param shown diffill.Window
---@param title string
---@param lines string[]
function M.update(shown, title, lines)
  vim.bo[shown.buf].modifiable = true
  api.nvim_buf_set_lines(shown.buf, 0, -1, true, lines)
  vim.bo[shown.buf].modifiable = false
  if api.nvim_win_get_config(shown.window).relative ~= "" then
    local width = width_for(vim.list_extend({ title .. "  " }, lines))
    api.nvim_win_set_config(shown.window, { width = width, height = math.max(#lines, 1), title = title })
    fit(shown.window)
  else
    vim.wo[shown.window].statusline = title:gsub("%%", "%%%%")
  end
end

--- Whether a window still shows what was put into it.
---@param shown diffill.Window?
---@return boolean
function M.is_open(shown)
  return shown ~= nil and api.nvim_win_is_valid(shown.window) and api.nvim_win_get_buf(shown.window) == shown.buf
end

--- In the command-line window no other can be opened.
local function in_command_line_window()
  return vim.fn.getcmdwintype() ~= ""
end

--- Whether a window may take the focus from what a person does.
---@param buf integer where it was asked for
---@return boolean
local function is_free(buf)
  local mode = api.nvim_get_mode()
  local here = api.nvim_get_current_buf() == buf and not in_command_line_window()
  return here and mode.mode == "n" and not mode.blocking
end

--- Open a window now, or, once that is said, when the person is back in normal mode in the buffer
--- that it was asked for in. What waits gives way only to a newer one of its kind, in its buffer.
---@param buf integer
---@param what string
---@param open fun()
function M.when_free(buf, what, open)
  if in_command_line_window() and api.nvim_get_current_buf() == buf then
    buf = vim.fn.winbufnr(vim.fn.winnr("#")) -- asked for there; it is gone soon
  end
  local key = buf .. what
  local function forget()
    if waiting[key] then
      api.nvim_del_autocmd(waiting[key])
      waiting[key] = nil
    end
  end
  forget()
  if is_free(buf) then
    open()
    return
  end
  client_of.say(("%s is ready; it opens in normal mode, in the buffer it was asked for in"):format(what))
  local this
  this = api.nvim_create_autocmd("SafeState", {
    group = group,
    callback = function()
      -- No window is opened while an event of Neovim's runs.
      vim.schedule(function()
        if waiting[key] ~= this then
          return
        elseif not api.nvim_buf_is_valid(buf) then
          forget()
        elseif is_free(buf) then
          forget()
          open()
        end
      end)
    end,
  })
  waiting[key] = this
end

---@param title string
---@param lines string[]
---@param kind? "float"|"split"
---@return diffill.Window
function M.open(title, lines, kind)
  local buf = api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = "wipe"
  api.nvim_buf_set_name(buf, ("diffill://%s/%d"):format(title:match("^%S+"), buf))
  local window
  if kind == "split" then
    window = api.nvim_open_win(buf, true, { split = "below" })
  else
    window = api.nvim_open_win(buf, true, {
      relative = "cursor",
      row = 1,
      col = 0,
      width = width_for(lines),
      height = 1,
      style = "minimal",
      border = "rounded",
      title = title,
    })
  end
  local shown = { buf = buf, window = window }
  M.update(shown, title, lines)
  fit(window)
  for _, key in ipairs({ "q", "<Esc>" }) do
    vim.keymap.set("n", key, function()
      M.close(shown)
    end, { buffer = buf, nowait = true, desc = "Close" })
  end
  return shown
end

--- Close it wherever it is shown; a window that shows another buffer by now stays.
---@param shown diffill.Window
function M.close(shown)
  for _, window in ipairs(vim.fn.win_findbuf(shown.buf)) do
    api.nvim_win_close(window, true)
  end
end

--- A session was read in which such a window was open: its text is gone, so the window goes, too.
---@param buf integer
function M.forget(buf)
  vim.bo[buf].buftype = "nofile"
  vim.schedule(function()
    for _, window in ipairs(vim.fn.win_findbuf(buf)) do
      if #api.nvim_tabpage_list_wins(api.nvim_win_get_tabpage(window)) > 1 then
        api.nvim_win_close(window, true)
      end
    end
    if api.nvim_buf_is_valid(buf) then
      api.nvim_buf_delete(buf, { force = true })
    end
  end)
end

--- Open a window with some lines to read.
---@param buf integer where they were asked for
---@param title string
---@param lines string[]
function M.lines(buf, title, lines)
  M.when_free(buf, ("the answer (%s)"):format(title), function()
    M.open("diffill " .. title, lines)
  end)
end

return M
