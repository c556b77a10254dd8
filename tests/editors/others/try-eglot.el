;;; try-eglot.el --- Opens a file, takes the first candidate, saves -*- lexical-binding: t -*-

;;; Commentary:

;; For test_emacs.py: DIFFILL_FILE, DIFFILL_AFTER and DIFFILL_COMMAND come from the environment.
;; Debian's Emacs packages are found without its site-start, which reads more than is wanted.

;;; Code:

(dolist (folder (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa-src/*"))
  (add-to-list 'load-path folder))
(require 'diffill-eglot)

(setq diffill-eglot-command (split-string (getenv "DIFFILL_COMMAND") "\n")
      eglot-sync-connect 60)

(find-file (getenv "DIFFILL_FILE"))
(call-interactively #'eglot)
(search-forward (getenv "DIFFILL_AFTER"))

(pcase-let* ((`(,start ,end ,table . ,more) (eglot-completion-at-point))
             (found (all-completions (buffer-substring start end) table)))
  (dolist (one found)
    (message "candidate: %s" (substring-no-properties one)))
  (delete-region start end)
  (insert (car found))
  (funcall (plist-get more :exit-function) (car found) 'finished))

(save-buffer)
(eglot-shutdown (eglot-current-server))

;;; try-eglot.el ends here
