package github

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"
)

// Whose comments are ours: anybody can write what we write, but not under our name.

// actionsLogin is who posts with the token that a workflow has by itself.
const actionsLogin = "github-actions[bot]"

// ownLogin is the login that our comments carry. Only GraphQL tells an app its own; a
// server that has none tells people theirs, and else it is the workflow's.
func (p *Poster) ownLogin(ctx context.Context) string {
	if p.login != "" {
		return p.login
	}
	p.login = actionsLogin
	if login := p.viewer(ctx); login != "" {
		p.login = login
	} else if user, _, err := p.Client.Users.Get(ctx, ""); err == nil && user.GetLogin() != "" {
		p.login = user.GetLogin()
	}
	return p.login
}

// viewer is the login that GraphQL knows us by, "" if it does not say.
func (p *Poster) viewer(ctx context.Context) string {
	path := "graphql"
	if strings.HasSuffix(p.Client.BaseURL.Path, "/api/v3/") { // of an Enterprise Server
		path = "../graphql"
	}
	request, err := p.Client.NewRequest(http.MethodPost, path, map[string]string{"query": "query { viewer { login } }"})
	if err != nil {
		return ""
	}
	var answer struct {
		Data struct {
			Viewer struct {
				Login string `json:"login"`
			} `json:"viewer"`
		} `json:"data"`
	}
	if _, err := p.Client.Do(ctx, request, &answer); err != nil {
		return ""
	}
	return answer.Data.Viewer.Login
}

// isBy tells whether a user has a login.
func isBy(user *github.User, login string) bool {
	return strings.EqualFold(user.GetLogin(), login)
}
