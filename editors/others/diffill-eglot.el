;;; diffill-eglot.el --- Diffill as the server of eglot -*- lexical-binding: t -*-

;;; Commentary:

;; Put this file on `load-path' and (require 'diffill-eglot), then M-x eglot in a file.  Eglot runs
;; one server for each mode, so Diffill takes the place of another one there; with lsp-mode
;; (diffill.el) it runs beside it.  Suggestions come with `completion-at-point'.

;;; Code:

(require 'eglot)

(defgroup diffill-eglot nil
  "Fill holes in code with a model on this machine."
  :group 'eglot)

(defcustom diffill-eglot-command '("diffill" "serve")
  "The command that starts the server."
  :type '(repeat string)
  :group 'diffill-eglot)

(defcustom diffill-eglot-modes
  '(python-mode js-mode typescript-mode go-mode rust-mode java-mode c-mode c++-mode
    python-ts-mode js-ts-mode typescript-ts-mode tsx-ts-mode go-ts-mode rust-ts-mode
    java-ts-mode c-ts-mode c++-ts-mode)
  "The modes whose server Diffill is."
  :type '(repeat symbol)
  :group 'diffill-eglot)

(dolist (mode diffill-eglot-modes)
  (add-to-list 'eglot-server-programs
               (cons mode (lambda (&rest _) diffill-eglot-command))))

(provide 'diffill-eglot)
;;; diffill-eglot.el ends here
