"""What the pages share. Imports go one way: pages, then this, then ``deconv_core``.

``address`` says what is shown, ``shell`` frames every page with it, ``resources`` computes and
keeps, ``tiles`` draws pictures one can click.
"""
