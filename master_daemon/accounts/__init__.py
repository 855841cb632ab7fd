"""Who calls and what they may: logins, tokens, OpenID Connect, the site's proxy, limits."""
