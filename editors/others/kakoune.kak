# Diffill for Kakoune with kakoune-lsp 18 or newer: put this into kakrc, after the line that
# loads kakoune-lsp. Diffill runs beside servers that you set for the file type before this hook;
# kakoune-lsp's own default is not used where any is set, so name that one too.

hook -group diffill global BufSetOption filetype=(?:python|javascript|typescript|go|rust|java|c|cpp) %{
    set-option -add buffer lsp_servers %{
        [diffill]
        root_globs = [".git", ".hg"]
        command = "diffill"
        args = ["serve"]
        settings_section = "diffill"
        [diffill.settings.diffill]
        # Every key is in docs/configuration.md.
        inline.maxLines = 12
    }
}
