# shellcheck shell=bash
# Completion of `tidemark` in bash: hands the words to `tidemark --complete` and offers what it prints.
# Leaves out every name: the program knows them. Needs no bash-completion, which loads it by its place.

# Sets `words` to those of the line up to the cursor. COMP_WORDS is no use as it is: bash splits at = : and @ too.
_tidemark_words() {
    local line=${COMP_LINE:0:COMP_POINT} blanks word i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        blanks=${line%%[![:blank:]]*}
        line=${line#"$blanks"}
        word=${COMP_WORDS[i]}
        # The last word is what is left of it at the cursor.
        ((i < COMP_CWORD)) || word=$line
        if ((i > 0)) && [ -z "$blanks" ]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${line#"$word"}
    done
}

# Takes the quotes off `word`; an open one makes `quote` non-empty.
_tidemark_unquote() {
    quote=
    case $word in
    \'*\' | \"*\") word=${word:1:-1} ;;
    [\'\"]*)
        quote=${word:0:1}
        word=${word:1}
        ;;
    esac
}

_tidemark() {
    local words word quote i line kept breaks=${COMP_WORDBREAKS//[^:=@]/}
    _tidemark_words
    for i in "${!words[@]}"; do
        word=${words[i]}
        _tidemark_unquote
        words[i]=$word
    done
    # Readline replaces what follows the last break, so what comes before is cut from each answer; between quotes nothing
    # breaks, and @ is a break that stays with what follows it (rl_special_prefixes).
    kept=
    [[ -n $quote || -z $breaks ]] || kept=${word%"${word##*["$breaks"]}"}
    kept=${kept%@}
    COMPREPLY=()
    while IFS= read -r line; do
        line=${line%%$'\t'*}
        line=${line#"$kept"}
        # A folder's name may hold what a shell reads otherwise.
        [[ -n $quote || $line != *[[:space:]\'\"\\\$\&\;\(\)\|\<\>\*\?\#\`]* ]] || printf -v line %q "$line"
        COMPREPLY+=("$line")
    done < <("${words[0]/#\~\//$HOME/}" --complete "${words[@]:1}" 2>/dev/null)
    # What can go on does, without a blank.
    if [ ${#COMPREPLY[@]} = 1 ] && [[ ${COMPREPLY[0]} == *[:=/] ]]; then
        compopt -o nospace 2>/dev/null || true
    fi
}

complete -F _tidemark tidemark
