"""Where the bars of a chart stand: numbers into places, so that a template only writes them down."""
