;;; try-lsp-mode.el --- Opens a file, takes the first candidate, saves -*- lexical-binding: t -*-

;;; Commentary:

;; For test_emacs.py, as try-eglot.el.

;;; Code:

(dolist (folder (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa-src/*"))
  (add-to-list 'load-path folder))
(require 'diffill)

(setq diffill-command (split-string (getenv "DIFFILL_COMMAND") "\n")
      lsp-session-file (expand-file-name "session" (getenv "HOME"))
      lsp-auto-guess-root t
      lsp-enabled-clients '(diffill)
      lsp-enable-snippet nil
      lsp-restart 'ignore)

(find-file (getenv "DIFFILL_FILE"))
(lsp)

(defun try-wait (holds)
  "Let processes talk until HOLDS says so, or fail after a minute."
  (with-timeout (60 (error "The server did not get ready"))
    (while (not (funcall holds))
      (accept-process-output nil 0.05))))

(try-wait (lambda ()
            (seq-some (lambda (one) (eq (lsp--workspace-status one) 'initialized))
                      (lsp-workspaces))))
(search-forward (getenv "DIFFILL_AFTER"))

(pcase-let* ((`(,start ,end ,table . ,more) (lsp-completion-at-point))
             (found (all-completions (buffer-substring start end) table)))
  (dolist (one found)
    (message "candidate: %s" (substring-no-properties one)))
  (delete-region start end)
  (insert (car found))
  (funcall (plist-get more :exit-function) (car found) 'finished))

(save-buffer)

;;; try-lsp-mode.el ends here
